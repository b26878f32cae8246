/** From a due row to its outcome, in one process. */
import { createBus, deadLetter, DeliveryFailure, discard, retryAfter } from '@outbus/core'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

type SetEvent = KvEvent & { op: 'set' }

async function setUp(dispatch: Record<string, number> = {}) {
  const db = await useTestDatabase()
  const bus = await createBus({
    database: db.url,
    sources: [kv()],
    migrate: true,
    app: 'shop',
    dispatch,
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const cx = bus.context({ principal: { id: 'u_1' } })
  const trigger = (
    name: string,
    retry: object = { maxAttempts: 3, strategy: 'constant', baseDelayMs: 1, jitter: 'none' },
    more: object = {},
  ) =>
    cx.triggers.create({
      name,
      source: 'kv',
      filter: { collection: 'jobs' },
      target: { type: 'function', name },
      retry,
      ...more,
    })
  return { db, bus, cx, trigger, outcomes: watchOutcomes('shop') }
}

test('a handler gets the event, its context, the attempt, a stable delivery id, a signal and a log', async () => {
  const { bus, cx, trigger, outcomes } = await setUp()
  const { id } = await trigger('look')
  const seen = Promise.withResolvers<object>()
  bus.handle<SetEvent>('look', (args) => {
    const { event, cx: inner, attempt, deliveryId, eventId, signal, log, trigger: by } = args
    seen.resolve({
      event,
      attempt,
      deliveryId,
      eventId,
      by,
      app: inner.app,
      principal: inner.principal,
      depth: inner.depth,
      root: inner.rootId,
      aborted: signal.aborted,
      logs: typeof log.info,
    })
  })
  await bus.start()
  const { eventId, version } = await cx.kv.set('jobs', 'a', { n: 1 })
  expect(await seen.promise).toEqual({
    event: { op: 'set', collection: 'jobs', key: 'a', value: { n: 1 }, version },
    attempt: 1,
    deliveryId: expect.stringMatching(/^\d+$/),
    eventId,
    by: { id, name: 'look', source: 'kv' },
    app: 'shop',
    principal: { id: 'u_1' },
    depth: 1,
    root: eventId,
    aborted: false,
    logs: 'function',
  })
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'done'))
})

test('a failure is tried again under the same delivery id until it succeeds, and no more often (G7)', async () => {
  const { bus, cx, db, trigger, outcomes } = await setUp()
  await trigger('flaky')
  const attempts: { attempt: number; deliveryId: string }[] = []
  bus.handle('flaky', ({ attempt, deliveryId }) => {
    attempts.push({ attempt, deliveryId })
    if (attempt < 3) throw new Error(`no ${attempt}`)
  })
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'done'))
  expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
  expect(new Set(attempts.map(({ deliveryId }) => deliveryId)).size).toBe(1)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
})

const ODD: readonly (readonly [what: string, handler: () => unknown, message: string])[] = [
  [
    'undefined',
    (): void => {
      throw undefined
    },
    'threw undefined',
  ],
  [
    'null',
    () => {
      throw null
    },
    'threw null',
  ],
  [
    'a string with a NUL',
    () => {
      throw 'a\0b'
    },
    'threw a\u{fffd}b',
  ],
  [
    'an Error with a NUL',
    () => {
      throw new Error('a\0b')
    },
    'a\u{fffd}b',
  ],
  [
    'an Error without a message',
    () => {
      throw new Error()
    },
    'Error',
  ],
  [
    'a value whose toString throws',
    () => {
      throw {
        toString() {
          throw new Error('no')
        },
      }
    },
    'threw a value that cannot be shown',
  ],
  [
    'a proxy that throws when it is looked at',
    () => {
      throw new Proxy(
        {},
        {
          has() {
            throw new Error('no')
          },
          getPrototypeOf() {
            throw new Error('no')
          },
        },
      )
    },
    'the handler threw, or returned, a value that cannot be read',
  ],
  [
    'a retryAfter of no number',
    () => {
      throw retryAfter('soon' as never)
    },
    'retryAfter takes a number of milliseconds from 0',
  ],
  [
    'a hand-made verdict with a BigInt',
    () => ({ [Symbol.for('outbus.verdict')]: true, kind: 'retryAfter', delayMs: 10n }),
    'the handler asked for a retry after 10 ms',
  ],
  [
    'a failure of an unknown kind',
    () => {
      throw new DeliveryFailure('bogus' as never, 'x')
    },
    expect.stringContaining('no kind of failure is named bogus') as never,
  ],
  [
    'an unknown return value',
    () => 42,
    'the handler returned a number: return nothing, or retryAfter(), discard() or deadLetter()',
  ],
]

test.for(ODD)(
  'a handler that throws or returns %s ends as a dead letter that can be written (G18)',
  async ([, handler, message]) => {
    const { bus, cx, trigger, outcomes } = await setUp()
    await trigger('odd', { maxAttempts: 1 })
    bus.handle('odd', handler as never)
    await bus.start()
    await cx.kv.set('jobs', 'a', 1)
    await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'dead'))
    const { items } = await cx.deadLetters.list()
    expect(items.map(({ errors, reason }) => ({ message: errors[0]?.message, reason }))).toEqual([
      { message, reason: 'attempts_used_up' },
    ])
  },
)

test('an error of ten million characters is cut, not lost (G18)', async () => {
  const { bus, cx, trigger, outcomes } = await setUp()
  await trigger('huge', { maxAttempts: 1 })
  bus.handle('huge', () => {
    throw new Error('x'.repeat(10_000_000))
  })
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'dead'))
  const [letter] = (await cx.deadLetters.list()).items
  expect(letter?.errors[0]?.message.length).toBeLessThan(3_000)
})

test('a handler says retryAfter, discard or deadLetter, thrown or returned, and is taken at its word', async () => {
  const { bus, cx, trigger, outcomes } = await setUp()
  await trigger('say', { maxAttempts: 5, strategy: 'constant', baseDelayMs: 3_600_000 })
  const attempts: number[] = []
  bus.handle<SetEvent>('say', ({ event, attempt }) => {
    if (event.key === 'discard') throw discard('not for us')
    if (event.key === 'dead') return deadLetter('beyond help')
    attempts.push(attempt)
    if (attempt === 1) throw retryAfter(5)
    return undefined
  })
  await bus.start()
  await cx.kv.setMany(['discard', 'dead', 'retry'].map((key) => ({ collection: 'jobs', key, value: 1 })))
  await outcomes.until((all) =>
    ['discarded', 'dead', 'retry', 'done'].every((kind) => all.some(({ outcome }) => outcome.kind === kind)),
  )
  expect(attempts).toEqual([1, 2])
  const { items } = await cx.deadLetters.list()
  expect(items.map(({ reason, attempts: used }) => ({ reason, used }))).toEqual([{ reason: 'beyond help', used: 1 }])
})

test('a verdict whose reason is no text is taken at its word all the same, and costs its neighbours nothing (G18)', async () => {
  const { bus, cx, trigger, outcomes } = await setUp()
  await trigger('say', { maxAttempts: 1 })
  bus.handle<SetEvent>('say', ({ event }) => {
    if (event.key === 'error') throw deadLetter(new Error('beyond\0help'))
    if (event.key === 'object') return { [Symbol.for('outbus.verdict')]: true, kind: 'deadLetter', reason: {} } as never
    return event.key === 'number' ? discard(42 as never) : undefined
  })
  await cx.kv.setMany(
    ['a', 'error', 'b', 'object', 'number', 'c'].map((key) => ({ collection: 'jobs', key, value: 1 })),
  )
  await bus.start()
  await outcomes.until((all) => all.length === 6)
  expect([outcomes.count('done'), outcomes.count('dead'), outcomes.count('discarded')]).toEqual([3, 2, 1])
  const { items } = await cx.deadLetters.list()
  expect(items.map(({ reason }) => reason)).toEqual(
    expect.arrayContaining(['beyond\u{fffd}help', 'threw [object Object]']),
  )
})

test('a function that nobody registered fails as not_found and is a dead letter in the end', async () => {
  const { bus, cx, trigger, outcomes } = await setUp()
  const { unresolved } = await trigger('nobody', { maxAttempts: 2, strategy: 'constant', baseDelayMs: 1 })
  expect(unresolved).toBe(true)
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'dead'))
  const [letter] = (await cx.deadLetters.list()).items
  expect(letter).toMatchObject({ failureKind: 'not_found', attempts: 2 })
})

test('a handler past timeoutMs fails as timeout, its signal aborts, and its late result changes nothing (G3)', async () => {
  const { bus, cx, trigger, outcomes } = await setUp({ holdMs: 20 })
  await trigger('slow', { maxAttempts: 1 }, { timeoutMs: 60 })
  const aborted = Promise.withResolvers<void>()
  const late = Promise.withResolvers<void>()
  bus.handle('slow', ({ signal }) => {
    signal.addEventListener('abort', () => aborted.resolve())
    return late.promise
  })
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  await aborted.promise
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'dead'))
  late.resolve()
  expect((await cx.deadLetters.list()).items).toMatchObject([{ failureKind: 'timeout', attempts: 1 }])
  expect(outcomes.seen.length).toBe(1)
})

test('a handler that outlives its claim goes on under a lease, runs once, and lets its neighbours finish (G3)', async () => {
  const { bus, cx, db, trigger, outcomes } = await setUp({ holdMs: 20, leaseMs: 150 })
  await trigger('mixed')
  const release = Promise.withResolvers<void>()
  const starts: string[] = []
  bus.handle<SetEvent>('mixed', async ({ event }) => {
    starts.push(event.key)
    if (event.key === 'long') await release.promise
  })
  await bus.start()
  await cx.kv.setMany(['long', 'a', 'b'].map((key) => ({ collection: 'jobs', key, value: 1 })))
  await outcomes.until((all) => all.length === 2)
  // Extended at least twice, while anybody could have taken it over had it not been.
  const due = 'select due_at::text from outbus.outbox where lease_token is not null'
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.outbox where lease_token is not null', 1)
  for (let changes = 0; changes < 2; changes++) {
    const { rows } = await db.pool.query<{ due_at: string }>(due)
    await untilDatabaseSays(db.pool, `select (${due}) <> '${rows[0]?.due_at}'`, true)
  }
  release.resolve()
  await outcomes.until((all) => all.length === 3)
  expect(starts.toSorted()).toEqual(['a', 'b', 'long'])
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
})

test('what triggers itself is stopped by depth, skipped and never dead-lettered (G10)', async () => {
  const { bus, cx, db, trigger, outcomes } = await setUp({ maxTriggerDepth: 3 })
  await trigger('loop')
  const depths: number[] = []
  bus.handle<SetEvent>('loop', async ({ event, cx: inner }) => {
    depths.push(inner.depth)
    await inner.kv.set('jobs', event.key, inner.depth)
  })
  await bus.start()
  await cx.kv.set('jobs', 'a', 0)
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'skipped'))
  expect(depths).toEqual([1, 2, 3])
  expect((await cx.deadLetters.list()).items).toEqual([])
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
})

test("delayed rows wait, and higher priorities go first, by the database's clock alone (G14)", async () => {
  const { bus, cx, db, trigger, outcomes } = await setUp({ lanes: 1, concurrency: 1 })
  await trigger('order')
  const order: string[] = []
  bus.handle<SetEvent>('order', ({ event }) => void order.push(event.key))
  await cx.kv.set('jobs', 'low', 1, { priority: 'low' })
  await cx.kv.set('jobs', 'normal', 1)
  await cx.kv.set('jobs', 'high', 1, { priority: 'high' })
  await cx.kv.set('jobs', 'tomorrow', 1, { delayMs: 86_400_000 })
  await bus.start()
  await outcomes.until((all) => all.length === 3)
  expect(order).toEqual(['high', 'normal', 'low'])
  const { rows } = await db.pool.query<{ hours: number }>(
    'select round(extract(epoch from due_at - now()) / 3600)::integer as hours from outbus.outbox',
  )
  expect(rows).toEqual([{ hours: 24 }])
})

test("a missed NOTIFY costs at most a poll: rows written behind the bus's back are found (G12)", async () => {
  const { bus, cx, db, trigger, outcomes } = await setUp({ maxPollMs: 200 })
  await trigger('found')
  bus.handle('found', () => {})
  await cx.kv.set('jobs', 'a', 1)
  await db.pool.query('create table kept as select * from outbus.outbox; delete from outbus.outbox')
  await bus.start()
  await db.pool.query('insert into outbus.outbox select * from kept')
  await outcomes.until((all) => all.length > 0)
  expect(outcomes.seen.map(({ outcome }) => outcome.kind)).toEqual(['done'])
})

test('stop waits for what runs, and what still runs after the grace is charged one attempt', async () => {
  const { bus, cx, db, trigger } = await setUp({ holdMs: 10 })
  await trigger('endless')
  const started = Promise.withResolvers<AbortSignal>()
  bus.handle('endless', ({ signal }) => {
    started.resolve(signal)
    return new Promise<void>(() => {})
  })
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  const signal = await started.promise
  await bus.stop({ graceMs: 50 })
  expect(signal.aborted).toBe(true)
  const { rows } = await db.pool.query("select attempt, lease_token, errors -> 0 ->> 'kind' as kind from outbus.outbox")
  expect(rows).toEqual([{ attempt: 2, lease_token: null, kind: 'unavailable' }])
})

test('a stopped bus refuses to emit, and stopping twice is stopping once', async () => {
  const { bus, cx } = await setUp()
  await bus.start()
  await Promise.all([bus.stop(), bus.stop()])
  await expect(cx.kv.set('jobs', 'a', 1)).rejects.toMatchObject({ code: 'bus.stopped' })
})

test('many lanes never run one delivery twice (G6)', async () => {
  const { bus, cx, trigger, outcomes } = await setUp({ lanes: 8, batchRows: 7 })
  await trigger('once')
  const starts = new Map<string, number>()
  bus.handle<SetEvent>('once', async ({ event }) => {
    starts.set(event.key, (starts.get(event.key) ?? 0) + 1)
    await new Promise((resolve) => setImmediate(resolve))
  })
  await bus.start()
  await cx.kv.setMany(Array.from({ length: 1_000 }, (_, i) => ({ collection: 'jobs', key: `k${i}`, value: i })))
  await outcomes.until((all) => all.length === 1_000)
  expect(starts.size).toBe(1_000)
  expect(Math.max(...starts.values())).toBe(1)
})
