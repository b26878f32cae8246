/** Of the catalogue of bad input: emits and buses. One clear error, nothing written, the transaction usable. */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { setUpRefusals } from './refusals.ts'

const { db, log, bus, cx, expectRefused } = await setUpRefusals()

const hostile = new Proxy(
  {},
  {
    ownKeys() {
      throw new Error('no')
    },
    getPrototypeOf() {
      throw new Error('no')
    },
  },
)

describe('an emit is refused', () => {
  const event = { op: 'set' as const, collection: 'c', key: 'k', value: 1, version: 1 }
  test.for<[what: string, work: (on: typeof cx) => unknown, error: object]>([
    [
      'to an unknown source',
      (on) => on.emit('kw' as 'kv', event),
      { code: 'source.unknown', hint: 'did you mean "kv"?' },
    ],
    [
      'of an unknown op',
      (on) => on.emit('kv', { ...event, op: 'sett' } as never),
      { code: 'event.unknown_op', path: 'op', hint: 'did you mean "set"?' },
    ],
    [
      'with an unknown member',
      (on) => on.emit('kv', { ...event, colection: 1 } as never),
      { code: 'event.invalid', path: 'colection', hint: 'did you mean "collection"?' },
    ],
    ['that is no object', (on) => on.emit('kv', null as never), { code: 'event.invalid' }],
    ['that is a list', (on) => on.emit('kv', [event] as never), { code: 'event.unknown_op', path: 'op' }],
    ['without an op', (on) => on.emit('kv', {} as never), { code: 'event.unknown_op', path: 'op' }],
    ['with an empty name', (on) => on.kv.set('', 'k', 1), { code: 'event.name' }],
    ['with a blank name', (on) => on.kv.set(' ', 'k', 1), { code: 'event.name', path: 'collection' }],
    ['with a name over 128 characters', (on) => on.kv.set('x'.repeat(129), 'k', 1), { code: 'event.name', limit: 128 }],
    ['with control characters in a name', (on) => on.kv.set('a\nb', 'k', 1), { code: 'event.name' }],
    ['with bidi characters in a name', (on) => on.kv.set('a\u202eb', 'k', 1), { code: 'event.name' }],
    ['with a NUL in a key', (on) => on.kv.set('c', 'a\0', 1), { code: 'payload.nul_character' }],
    [
      'with a dedupe key over 255 bytes',
      (on) => on.kv.set('c', 'k', 1, { dedupeKey: 'ü'.repeat(128) }),
      { code: 'event.key_too_long', path: 'dedupeKey', limit: 255 },
    ],
    ['with an empty dedupe key', (on) => on.emit('kv', event, { dedupeKey: '' }), { code: 'event.name' }],
    [
      'with a dedupe window of 0',
      (on) => on.emit('kv', event, { dedupeKey: 'd', dedupeWindowMs: 0 }),
      { code: 'event.invalid', path: 'dedupeWindowMs', limit: 1 },
    ],
    [
      'with an ordering key over 255 bytes',
      (on) => on.emit('kv', event, { orderingKey: 'ü'.repeat(128) }),
      { code: 'event.key_too_long', path: 'orderingKey', limit: 255 },
    ],
    [
      "past kv's verbs, with a bad name",
      (on) => on.emit('kv', { ...event, collection: 'a\nb' }),
      { code: 'event.name', path: 'collection', limit: 128 },
    ],
    [
      "past kv's verbs, with a NUL in a key",
      (on) => on.emit('kv', { ...event, key: 'a\0' }),
      { code: 'payload.nul_character', path: 'key' },
    ],
    [
      "past kv's verbs, with an empty key",
      (on) => on.emit('kv', { ...event, key: '' }),
      { code: 'event.name', path: 'key' },
    ],
    ['with a BigInt for an op', (on) => on.emit('kv', { op: 1n } as never), { code: 'event.unknown_op' }],
    ['that is a proxy which throws', (on) => on.emit('kv', hostile as never), { code: 'payload.serialize_failed' }],
    [
      'with a runAt that no standard knows',
      (on) => on.kv.set('c', 'k', 1, { runAt: 'Nov 30 2026' }),
      { code: 'event.run_at' },
    ],
    [
      'with a runAt that is another moment on each machine',
      (on) => on.kv.set('c', 'k', 1, { runAt: '2026-11-30T10:00:00' }),
      { code: 'event.run_at' },
    ],
    [
      'with a runAt on a day that no calendar has',
      (on) => on.kv.set('c', 'k', 1, { runAt: '2027-02-30T00:00:00Z' }),
      { code: 'event.run_at', path: 'runAt', received: '2027-02-30T00:00:00Z' },
    ],
    [
      'with a runAt that is a bare date',
      (on) => on.kv.set('c', 'k', 1, { runAt: '2027-02-28' }),
      { code: 'event.run_at', path: 'runAt' },
    ],
    ['with an invalid runAt', (on) => on.kv.set('c', 'k', 1, { runAt: new Date('x') }), { code: 'event.run_at' }],
    ['with a runAt that is no time', (on) => on.kv.set('c', 'k', 1, { runAt: 'soon' }), { code: 'event.run_at' }],
    [
      'more than ten years off',
      (on) => on.kv.set('c', 'k', 1, { runAt: new Date('2099-01-01') }),
      { code: 'event.run_at', path: 'runAt' },
    ],
    [
      'more than ten years ago',
      (on) => on.kv.set('c', 'k', 1, { runAt: '1999-01-01T00:00:00Z' }),
      { code: 'event.run_at', path: 'runAt' },
    ],
    [
      'delayed by more than ten years',
      (on) => on.kv.set('c', 'k', 1, { delayMs: 4e11 }),
      { code: 'event.run_at', path: 'delayMs' },
    ],
    ['delayed by NaN', (on) => on.kv.set('c', 'k', 1, { delayMs: Number.NaN }), { code: 'event.run_at' }],
    [
      'with a negative delay',
      (on) => on.kv.set('c', 'k', 1, { delayMs: -1 }),
      { code: 'event.run_at', path: 'delayMs' },
    ],
    [
      'with runAt and delayMs',
      (on) => on.kv.set('c', 'k', 1, { delayMs: 1, runAt: new Date() }),
      { code: 'event.run_at' },
    ],
    [
      'with an unknown option',
      (on) => on.emit('kv', event, { dedupKey: 'x' } as never),
      { code: 'event.invalid', path: 'dedupKey', hint: 'did you mean "dedupeKey"?' },
    ],
    [
      'with an unknown priority',
      (on) => on.emit('kv', event, { priority: 'hihg' } as never),
      { code: 'event.invalid', hint: 'did you mean "high"?' },
    ],
  ])('%s', async ([, work, error]) => {
    await expectRefused(work, error)
  })

  test.for([[''], [' '], ['x'.repeat(129)], [undefined], [5], ['a\0'], ['a\u202eb']])('for the app id %j', ([app]) => {
    expect(() => bus.context({ app } as never)).toThrow(
      expect.objectContaining({ code: 'app.invalid', path: 'app', limit: 128 }),
    )
  })
})

describe('a bus is refused', () => {
  const good = { database: db.url, log }
  const [source] = kv().sources ?? []
  const target = { type: 't', config: z.strictObject({}), run: () => {} }
  const bringing = (...targets: object[]) => ({ ...good, plugins: [{ name: 'mine', targets }] })
  test.for<[what: string, options: object, error: object]>([
    ['without a database', { database: undefined }, { code: 'options.invalid', path: 'database' }],
    [
      'with an unknown option',
      { ...good, shcema: 'x' },
      { code: 'options.invalid', path: 'shcema', hint: 'did you mean "schema"?' },
    ],
    ['with a quoted schema name', { ...good, schema: 'a"b' }, { code: 'schema.name', path: 'schema' }],
    ['with a schema name over 63 bytes', { ...good, schema: 'x'.repeat(64) }, { code: 'schema.name', limit: 63 }],
    [
      'with a schema name of 63 characters, over 63 bytes',
      { ...good, schema: 'ü'.repeat(32) },
      { code: 'schema.name', limit: 63 },
    ],
    ['with a reserved schema name', { ...good, schema: 'pg_x' }, { code: 'schema.name' }],
    ['with the schema information_schema', { ...good, schema: 'information_schema' }, { code: 'schema.name' }],
    [
      'with sources beside plugins',
      { ...good, sources: [kv()] },
      { code: 'options.invalid', path: 'sources', hint: expect.stringContaining('createBus({ plugins: [') },
    ],
    [
      'with targets beside plugins',
      { ...good, targets: [target] },
      { code: 'options.invalid', path: 'targets', hint: expect.stringContaining('createBus({ plugins: [') },
    ],
    [
      'with a source in the place of a plugin',
      { ...good, plugins: [source] },
      { code: 'plugin.invalid', path: 'plugins', hint: expect.stringContaining('definePlugin({ name: ') },
    ],
    [
      'with a target in the place of a plugin',
      { ...good, plugins: [target] },
      { code: 'plugin.invalid', path: 'plugins', hint: expect.stringContaining('definePlugin({ name: ') },
    ],
    ['with a plugin that brings nothing', { ...good, plugins: [{ name: 'mine' }] }, { code: 'plugin.invalid' }],
    [
      'with a plugin that misspells what it brings',
      { ...good, plugins: [{ name: 'mine', source: [source] }] },
      { code: 'plugin.invalid', path: 'source', hint: 'did you mean "sources"?' },
    ],
    [
      'with a plugin whose migrations are a folder',
      { ...good, plugins: [{ ...kv(), migrations: new URL('migrations/', import.meta.url) }] },
      { code: 'plugin.invalid', path: 'migrations' },
    ],
    [
      'with a plugin that has operations before there are any',
      { ...good, plugins: [{ ...kv(), operations: [] }] },
      { code: 'plugin.invalid', path: 'operations' },
    ],
    [
      'with a plugin of another contract',
      { ...good, plugins: [{ ...kv(), apiVersion: 2 }] },
      { code: 'plugin.api_version', path: 'apiVersion', message: expect.stringMatching(/"kv".*version 2.*version 1/) },
    ],
    ['with two targets of one type', bringing(target, target), { code: 'plugin.duplicate_name' }],
    ["with a target of core's own type", bringing({ ...target, type: 'function' }), { code: 'plugin.duplicate_name' }],
    ['with one plugin twice', { ...good, plugins: [kv(), kv()] }, { code: 'plugin.duplicate_name' }],
    [
      'with one source in two plugins',
      { ...good, plugins: [kv(), { name: 'mine', sources: [source] }] },
      { code: 'plugin.duplicate_name' },
    ],
    ['with a plugin called core', { ...good, plugins: [{ ...kv(), name: 'core' }] }, { code: 'plugin.reserved_name' }],
    [
      'with a reserved source name',
      { ...good, plugins: [{ name: 'mine', sources: [{ ...source, name: 'triggers' }] }] },
      { code: 'plugin.reserved_name' },
    ],
    [
      'with a source that lacks a member',
      { ...good, plugins: [{ name: 'mine', sources: [{ ...source, matches: undefined }] }] },
      { code: 'plugin.invalid', path: 'matches' },
    ],
    [
      'with a hold that outlasts the freeze',
      { ...good, dispatch: { holdMs: 500, frozenAfterMs: 400 } },
      { code: 'options.invalid', path: 'dispatch.frozenAfterMs' },
    ],
  ])('%s', async ([, options, error]) => {
    await expect(createBus(options as never)).rejects.toMatchObject(error)
  })
})
