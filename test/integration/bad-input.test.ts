/** Every line of the catalogue of bad input whose surface exists: one clear error, nothing written, the transaction usable. */
import { createBus, fromPgBoss } from '@outbus/core'
import { kv } from '@outbus/kv'
import { describe, expect, test } from 'vitest'
import { setUpRefusals } from './refusals.ts'

const { db, log, bus, cx, expectRefused } = await setUpRefusals()

const circular: Record<string, unknown> = {}
circular['self'] = { again: circular }
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
const deep = Array.from({ length: 65 }).reduce((inner) => [inner], 0)

describe('a value is refused at its path', () => {
  test.for<[what: string, value: unknown, code: string, path: string]>([
    ['a NUL', { a: ['x\0'] }, 'payload.nul_character', 'value.a[0]'],
    ['a NUL in a key', { 'a\0': 1 }, 'payload.nul_character', 'value.a\0'],
    ['a lone surrogate', { a: '\ud800' }, 'payload.lone_surrogate', 'value.a'],
    ['a BigInt', { a: 1n }, 'payload.bigint', 'value.a'],
    ['an integer beyond 2^53', { a: 2 ** 53 }, 'payload.unsafe_integer', 'value.a'],
    ['NaN', { a: Number.NaN }, 'payload.non_finite', 'value.a'],
    ['Infinity', [Number.POSITIVE_INFINITY], 'payload.non_finite', 'value[0]'],
    ['a circle', circular, 'payload.circular', 'value.self.again'],
    ['undefined at the top', undefined, 'payload.not_json', 'value'],
    ['undefined in an array', [undefined], 'payload.not_json', 'value[0]'],
    ['a function', { f: () => {} }, 'payload.not_json', 'value.f'],
    ['a symbol', { s: Symbol('s') }, 'payload.not_json', 'value.s'],
    ['a Map', { m: new Map() }, 'payload.unsupported_type', 'value.m'],
    ['a Set', new Set(), 'payload.unsupported_type', 'value'],
    ['an instance of a class', { o: new URLSearchParams() }, 'payload.unsupported_type', 'value.o'],
    ['an invalid Date', { d: new Date('x') }, 'payload.unsupported_type', 'value.d'],
    ['bytes', { b: Buffer.from('x') }, 'payload.unsupported_type', 'value.b'],
    ['more than 64 levels', deep, 'payload.too_deep', `value${'[0]'.repeat(64)}`],
    ['more than 256 KB', 'x'.repeat(262_144), 'payload.too_large', 'value'],
    ['an own __proto__', JSON.parse('{"a":{"__proto__":1}}'), 'payload.reserved_key', 'value.a.__proto__'],
    [
      'an own constructor.prototype',
      JSON.parse('{"constructor":{"prototype":1}}'),
      'payload.reserved_key',
      'value.constructor.prototype',
    ],
    [
      'a getter that throws',
      {
        get a() {
          throw new Error('no')
        },
      },
      'payload.serialize_failed',
      'value.a',
    ],
    ['a proxy that throws', { a: hostile }, 'payload.serialize_failed', 'value.a'],
    [
      'a toJSON that throws',
      {
        a: {
          toJSON() {
            throw new Error('no')
          },
        },
      },
      'payload.serialize_failed',
      'value.a',
    ],
  ])('%s', async ([, value, code, path]) => {
    await expectRefused((on) => on.kv.set('c', 'k', value), { name: 'OutbusError', code, path })
  })

  test.for<[what: string, value: unknown]>([
    ['an array', [1, 'two', null]],
    ['a string', 'text with "quotes", \\ and 🎉'],
    ['a number', -12.5e-7],
    ['null', null],
    ['an empty object', {}],
    ['nested', { a: [{ b: { c: [[], {}] } }] }],
  ])('%s is fine and comes back equal', async ([, value]) => {
    await cx.kv.set('fine', 'k', value)
    expect((await cx.kv.get('fine', 'k'))?.value).toEqual(value)
  })
})

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
    ['with an empty name', (on) => on.kv.set('', 'k', 1), { code: 'event.name' }],
    ['with a blank name', (on) => on.kv.set(' ', 'k', 1), { code: 'event.name', path: 'collection' }],
    ['with a name over 128 characters', (on) => on.kv.set('x'.repeat(129), 'k', 1), { code: 'event.name', limit: 128 }],
    ['with control characters in a name', (on) => on.kv.set('a\nb', 'k', 1), { code: 'event.name' }],
    ['with bidi characters in a name', (on) => on.kv.set('a\u202eb', 'k', 1), { code: 'event.name' }],
    ['with a NUL in a key', (on) => on.kv.set('c', 'a\0', 1), { code: 'payload.nul_character' }],
    [
      'with a dedupe key over 255 bytes',
      (on) => on.kv.set('c', 'k', 1, { dedupeKey: 'ü'.repeat(128) }),
      { code: 'event.key_too_long', limit: 255 },
    ],
    [
      'with an ordering key over 255 bytes',
      (on) => on.emit('kv', event, { orderingKey: 'x'.repeat(256) }),
      { code: 'event.key_too_long' },
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
    ['with an invalid runAt', (on) => on.kv.set('c', 'k', 1, { runAt: new Date('x') }), { code: 'event.run_at' }],
    ['with a runAt that is no time', (on) => on.kv.set('c', 'k', 1, { runAt: 'soon' }), { code: 'event.run_at' }],
    [
      'more than ten years off',
      (on) => on.kv.set('c', 'k', 1, { runAt: new Date('2099-01-01') }),
      { code: 'event.run_at' },
    ],
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

  test.for([[''], ['x'.repeat(129)], [undefined], ['a\0']])('for the app id %j', ([app]) => {
    expect(() => bus.context({ app } as never)).toThrow(expect.objectContaining({ code: 'app.invalid' }))
  })
})

describe('a trigger is refused', () => {
  const input = (more: object) =>
    ({ name: 'new', source: 'kv', filter: {}, target: { type: 'function', name: 'f' }, ...more }) as never
  test.for<[what: string, more: object, error: object]>([
    [
      'with an unknown key in its filter',
      { filter: { colection: 'x' } },
      { code: 'trigger.invalid', path: 'filter.colection', hint: 'did you mean "collection"?' },
    ],
    [
      'with a wrong value in its filter',
      { filter: { ops: ['set', 'delet'] } },
      { code: 'trigger.invalid', path: 'filter.ops[1]', hint: 'did you mean "delete"?' },
    ],
    ['with an unknown source', { source: 'kvv' }, { code: 'source.unknown', hint: 'did you mean "kv"?' }],
    [
      'with an unknown target',
      { target: { type: 'funktion' } },
      { code: 'target.unknown', hint: 'did you mean "function"?' },
    ],
    [
      'with a target its schema refuses',
      { target: { type: 'function', nam: 'f' } },
      { code: 'trigger.invalid', path: 'target.nam', hint: 'did you mean "name"?' },
    ],
    ['with a filter that is null', { filter: null }, { code: 'trigger.invalid', path: 'filter' }],
    [
      'with a control character in its filter',
      { filter: { collection: 'a\nb' } },
      { code: 'trigger.invalid', path: 'filter.collection' },
    ],
    [
      'with two stars in a row',
      { filter: { collection: 'a**b' } },
      { code: 'pattern.wildcard', path: 'filter.collection' },
    ],
    [
      'with a bidirectional function name',
      { target: { type: 'function', name: 'a\u202eb' } },
      { code: 'trigger.invalid', path: 'target.name' },
    ],
    ['with a blank name', { name: ' ' }, { code: 'trigger.invalid', path: 'name' }],
    ['with a policy that is null', { retry: null }, { code: 'retry.invalid', path: 'retry' }],
    ['with timeoutMs 0', { timeoutMs: 0 }, { code: 'trigger.invalid', path: 'timeoutMs' }],
    [
      'with timeoutMs over the cap',
      { timeoutMs: 86_400_001 },
      { code: 'trigger.invalid', path: 'timeoutMs', limit: 86_400_000 },
    ],
    ['without a name', { name: '' }, { code: 'trigger.invalid', path: 'name' }],
    [
      'with an unknown key',
      { fliter: {} },
      { code: 'trigger.invalid', path: 'fliter', hint: 'did you mean "filter"?' },
    ],
    ['with 0 attempts', { retry: { maxAttempts: 0 } }, { code: 'retry.invalid', path: 'retry.maxAttempts' }],
    ['with -1 attempts', { retry: { maxAttempts: -1 } }, { code: 'retry.invalid' }],
    ['with 1.5 attempts', { retry: { maxAttempts: 1.5 } }, { code: 'retry.invalid' }],
    ['with 2^31 attempts', { retry: { maxAttempts: 2 ** 31 } }, { code: 'retry.invalid' }],
    ['with a negative delay', { retry: { baseDelayMs: -1 } }, { code: 'retry.invalid', path: 'retry.baseDelayMs' }],
    ['with a delay NaN', { retry: { baseDelayMs: Number.NaN } }, { code: 'retry.invalid' }],
    ['with a delay as text', { retry: { baseDelayMs: '5' } }, { code: 'retry.invalid' }],
    [
      'with a cap below the delay',
      { retry: { baseDelayMs: 100, maxDelayMs: 50 } },
      { code: 'retry.invalid', path: 'retry.maxDelayMs' },
    ],
    ['with jitter below 0', { retry: { jitter: -0.1 } }, { code: 'retry.invalid' }],
    ['with jitter above 1', { retry: { jitter: 1.1 } }, { code: 'retry.invalid' }],
    [
      'with an unknown key in its policy',
      { retry: { maxAttemps: 3 } },
      { code: 'retry.invalid', hint: 'did you mean "maxAttempts"?' },
    ],
  ])('%s', async ([, more, error]) => {
    await expectRefused((on) => on.triggers.create(input(more)), error)
    expect(await cx.triggers.getByName('new')).toBeUndefined()
  })

  test('with a name that the app has already', async () => {
    await expect(cx.triggers.create(input({ name: 'all' }))).rejects.toMatchObject({
      code: 'trigger.duplicate_name',
      path: 'name',
    })
  })

  test('by a malformed id', async () => {
    await expectRefused((on) => on.triggers.get('1; drop table'), { code: 'id.malformed' })
  })

  test('retryDelayMax without retryBackoff, of pg-boss', () => {
    expect(() => fromPgBoss({ retryDelayMax: 10 })).toThrow(expect.objectContaining({ code: 'retry.invalid' }))
  })
})

describe('a bus is refused', () => {
  const good = { database: db.url, log }
  test.for<[what: string, options: object, error: object]>([
    ['without a database', { database: undefined }, { code: 'options.invalid', path: 'database' }],
    [
      'with an unknown option',
      { ...good, shcema: 'x' },
      { code: 'options.invalid', path: 'shcema', hint: 'did you mean "schema"?' },
    ],
    ['with a quoted schema name', { ...good, schema: 'a"b' }, { code: 'schema.name' }],
    ['with a schema name over 63 bytes', { ...good, schema: 'x'.repeat(64) }, { code: 'schema.name' }],
    ['with a reserved schema name', { ...good, schema: 'pg_x' }, { code: 'schema.name' }],
    ['with one source twice', { ...good, sources: [kv(), kv()] }, { code: 'plugin.duplicate_name' }],
    [
      'with a reserved source name',
      { ...good, sources: [{ ...kv(), name: 'triggers' }] },
      { code: 'plugin.reserved_name' },
    ],
    [
      'with a source that lacks a member',
      { ...good, sources: [{ ...kv(), matches: undefined }] },
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
