/** Options that are misspelt, misplaced or of the wrong kind are refused, and never quietly left out. */
import { createBus, isOutbusError, previewRetry } from '@outbus/core'
import { makeClient } from '@outbus/test-kit/connections'
import { describe, expect, test } from 'vitest'
import { setUpRefusals } from './refusals.ts'

const { db, log, bus, cx, expectRefused } = await setUpRefusals()

type Cx = typeof cx
/** As a caller without types would write it. */
const loose = (on: Cx) => on as unknown as Record<string, Record<string, (...args: unknown[]) => unknown>>
const call = (object: string, verb: string, ...args: unknown[]) => {
  return (on: Cx) => (loose(on)[object] as Record<string, (...given: unknown[]) => unknown>)[verb]?.(...args)
}
const encode = (parts: readonly string[]) => Buffer.from(JSON.stringify(parts)).toString('base64url')
const nobody = ['dead_letters', 'shop', 'null', 'null', 'null', 'null', 'null', 'null', 'unresolved']
const invalid = (path: string, hint?: string) => ({ code: 'options.invalid', path, ...(hint && { hint }) })
const meant = (name: string) => `did you mean ${JSON.stringify(name)}?`

describe('a verb of kv', () => {
  test.for<[what: string, work: (on: Cx) => unknown, error: object]>([
    ['set, misspelt', call('kv', 'set', 'c', 'k', 1, { ifversion: 0 }), invalid('ifversion', meant('ifVersion'))],
    ['set, a number', call('kv', 'set', 'c', 'k', 1, 5), invalid('')],
    ['set, null', call('kv', 'set', 'c', 'k', 1, null), invalid('')],
    ['set, a version below 0', call('kv', 'set', 'c', 'k', 1, { ifVersion: -1 }), invalid('ifVersion')],
    ['delete, misspelt', call('kv', 'delete', 'c', 'k', { ifversion: 1 }), invalid('ifversion', meant('ifVersion'))],
    ['list, misspelt', call('kv', 'list', 'c', { prefx: 'a' }), invalid('prefx', meant('prefix'))],
    ['list, null', call('kv', 'list', 'c', null), invalid('')],
    [
      'list, a hand-made cursor',
      call('kv', 'list', 'c', { cursor: encode(['kv', 'shop', 'c', '', 'a\0']) }),
      { code: 'page.cursor' },
    ],
    ['list, a limit of 0', call('kv', 'list', 'c', { limit: 0 }), { code: 'page.limit' }],
    ['setMany of nothing', call('kv', 'setMany', undefined), invalid('writes')],
    ['setMany of null', call('kv', 'setMany', [null]), invalid('writes[0]')],
    [
      'setMany with what only set takes',
      call('kv', 'setMany', [{ collection: 'c', key: 'k', value: 1, ifVersion: 0 }]),
      invalid('writes[0].ifVersion'),
    ],
    [
      'setMany, a bad key',
      call('kv', 'setMany', [{ collection: 'c', key: '', value: 1 }]),
      { code: 'event.name', path: 'writes[0].key' },
    ],
  ])('%s', async ([, work, error]) => {
    await expectRefused(work, error)
  })
})

describe('a call of core', () => {
  const event = { op: 'set', collection: 'c', key: 'k', value: 1, version: 1 } as const
  test.for<[what: string, work: (on: Cx) => unknown, error: object]>([
    [
      'emitMany with one object for all',
      (on) => on.emitMany('kv', [event], { dedupeKey: 'x' } as never),
      { code: 'event.invalid', path: 'options' },
    ],
    [
      'emitMany with more options than events',
      (on) => on.emitMany('kv', [event], [{}, {}]),
      { code: 'event.invalid', path: 'options' },
    ],
    ['triggers.list, misspelt', call('triggers', 'list', { sourc: 'kv' }), invalid('sourc', meant('source'))],
    ['triggers.list, null', call('triggers', 'list', null), invalid('')],
    ['triggers.list, a NUL', call('triggers', 'list', { source: 'a\0' }), invalid('source')],
    ['triggers.list, neither true nor false', call('triggers', 'list', { enabled: 'maybe' }), invalid('enabled')],
    ['deadLetters.list, misspelt', call('deadLetters', 'list', {}, { limt: 1 }), invalid('page.limt', meant('limit'))],
    ['deadLetters.list, null', call('deadLetters', 'list', null), invalid('filter')],
    ['deadLetters.list, a NUL', call('deadLetters', 'list', { triggerName: 'a\0' }), invalid('filter.triggerName')],
    [
      'deadLetters.list, a time past all years',
      call('deadLetters', 'list', { diedAfter: new Date(8.64e15) }),
      invalid('filter.diedAfter'),
    ],
    [
      'deadLetters.list, a hand-made cursor',
      call('deadLetters', 'list', {}, { cursor: encode([...nobody, 'abc']) }),
      { code: 'page.cursor' },
    ],
    [
      'deadLetters.list, a cursor beyond every id',
      call('deadLetters', 'list', {}, { cursor: encode([...nobody, '9'.repeat(30)]) }),
      { code: 'page.cursor' },
    ],
    ['replay, misspelt', call('deadLetters', 'replay', '1', { forse: true }), invalid('forse', meant('force'))],
    [
      'replayAll, misspelt',
      call('deadLetters', 'replayAll', { all: true }, { dryrun: true }),
      invalid('dryrun', meant('dryRun')),
    ],
    ['replayAll of a number', call('deadLetters', 'replayAll', 5), invalid('selection')],
    ['discardAll of a text', call('deadLetters', 'discardAll', 'all'), invalid('selection')],
    ['discardAll of all, sort of', call('deadLetters', 'discardAll', { all: 'yes' }), invalid('selection.all')],
    [
      'discardAll of all and of some',
      call('deadLetters', 'discardAll', { all: true, source: 'kv' }),
      invalid('selection.all'),
    ],
    [
      'discardAll of nothing in particular',
      call('deadLetters', 'discardAll', {}),
      { code: 'dead_letter.filter_required' },
    ],
  ])('%s', async ([, work, error]) => {
    await expectRefused(work, error)
  })

  test.for<[what: string, options: unknown, error: object]>([
    ['misspelt', { appId: 'shop' }, invalid('appId', 'known: app, principal, causality, traceContext, origin')],
    ['no app', { app: null }, { code: 'app.invalid' }],
    ['null', null, invalid('')],
    ['no principal', { app: 'shop', principal: null }, { code: 'context.principal', path: 'principal' }],
    ['a principal without a name', { app: 'shop', principal: { id: '' } }, invalid('principal.id')],
    ['a trace with a NUL', { app: 'shop', traceContext: 'a\0' }, invalid('traceContext')],
    ['a trace that is no text', { app: 'shop', traceContext: 1 }, invalid('traceContext')],
    ['a trace without end', { app: 'shop', traceContext: 'x'.repeat(100_000) }, invalid('traceContext')],
  ])('context: %s', ([, options, error]) => {
    expect(() => bus.context(options as never)).toThrow(expect.objectContaining(error))
  })

  test.for([[{ grace: 1 }], [{ graceMs: 'x' }], [{ graceMs: Number.NaN }], [{ graceMs: -1 }], [null]])(
    'stop(%j) is refused, and the bus goes on',
    async ([options]) => {
      await expect(bus.stop(options as never)).rejects.toMatchObject({ code: 'options.invalid' })
      await cx.kv.get('c', 'k')
    },
  )

  test('a cursor of one filter does not go with another', async () => {
    await cx.triggers.create({ name: 'second', source: 'kv', filter: {}, target: { type: 'function', name: 'f' } })
    const { nextCursor } = await cx.triggers.list({ limit: 1 })
    await expectRefused(call('triggers', 'list', { source: 'kv', cursor: nextCursor }), { code: 'page.cursor' })
  })

  test('previewRetry takes what a trigger takes, and refuses what a trigger refuses', () => {
    expect(previewRetry({ maxAttempts: 3 }, { seed: 1 }).length).toBe(2)
    expect(() => previewRetry({ maxAttempts: 0 }, { seed: 1 })).toThrow(
      expect.objectContaining({ code: 'retry.invalid' }),
    )
  })
})

describe('a bus', () => {
  test.for<[what: string, options: object, path: string]>([
    ['a number', { database: 42 }, 'database'],
    ['an object', { database: {} }, 'database'],
    ['a client', { database: makeClient({}) }, 'database'],
    ['a URL of something else', { database: 'mysql://u:hunter2@h/db' }, 'database'],
    ['to listen on something else', { database: db.url, listenUrl: 'mysql://u:hunter2@h/db' }, 'listenUrl'],
    ['a misspelt name', { databse: 'postgres://u:hunter2@h/db' }, 'databse'],
    ['two misspelt names', { database: db.url, listenURL: { password: 'hunter2' } }, 'listenURL'],
  ])('for a database that is %s is refused, and shows no password', async ([, options, path]) => {
    const error: unknown = await createBus({ ...options, log } as never).catch((refusal: unknown) => refusal)
    expect(isOutbusError(error, 'options.invalid') && error.path).toBe(path)
    expect(JSON.stringify(error) + String(error)).not.toContain('hunter2')
  })

  test('with the least maxEventBytes still stores what fits', async () => {
    const { kv } = await import('@outbus/kv')
    const small = await createBus({ database: db.pool, plugins: [kv()], app: 'shop', maxEventBytes: 1_024, log })
    const { kv: store } = small.context()
    await store.set('small', 'k', 'x'.repeat(800))
    await expect(store.set('small', 'k', 'x'.repeat(1_000))).rejects.toMatchObject({
      code: 'payload.too_large',
      limit: 1_024,
    })
    await small.stop()
  })
})
