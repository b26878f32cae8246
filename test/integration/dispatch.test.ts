/** From a due row to its outcome, in one process. */
import { randomBytes } from 'node:crypto'
import type { KvEvent } from '@outbus/kv'
import pino from 'pino'
import { expect, test } from 'vitest'
import { setUpBus as setUp } from './one-bus.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from './workers/outcomes.ts'

type SetEvent = KvEvent & { op: 'set' }

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
    principal: { id: 'u_1', roles: ['admin'] },
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

test('what triggers itself is warned of once, stopped by depth, skipped and never dead-lettered (G10)', async () => {
  const lines: { msg: string; triggerId?: string }[] = []
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line)) })
  const { bus, cx, db, trigger, outcomes } = await setUp({ maxTriggerDepth: 3 }, log)
  const { id } = await trigger('loop')
  const depths: number[] = []
  bus.handle<SetEvent>('loop', async ({ event, cx: inner }) => {
    depths.push(inner.depth)
    await inner.kv.set('jobs', event.key, inner.depth)
  })
  await bus.start()
  await cx.kv.set('jobs', 'a', 0)
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'skipped'))
  expect(depths).toEqual([1, 2, 3])
  expect(lines.filter(({ msg }) => msg.startsWith('a trigger fires itself')).map(({ triggerId }) => triggerId)).toEqual(
    [id],
  )
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

test('a batch is bounded in bytes: large events among small ones are run, a few at a time, and none is passed by', async () => {
  const { bus, cx, db, trigger, outcomes } = await setUp({ batchBytes: 100_000, batchRows: 100, lanes: 1 })
  await trigger('each')
  // Of letters that do not compress.
  const large = () => randomBytes(30_000).toString('base64')
  for (let i = 0; i < 20; i++) {
    await cx.kv.setMany(
      Array.from({ length: 20 }, (_, n) => ({ collection: 'jobs', key: `small-${i}-${n}`, value: n })),
    )
    await cx.kv.set('jobs', `large-${i}`, large())
  }
  const seen = new Set<string>()
  let inFlight = 0
  let most = 0
  bus.handle<SetEvent>('each', async ({ event }) => {
    seen.add(event.key)
    if (!event.key.startsWith('large')) return
    most = Math.max(most, ++inFlight)
    await new Promise((resolve) => setImmediate(resolve))
    inFlight--
  })
  await bus.start()
  await outcomes.until((all) => all.length === 420)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(seen.size).toBe(420)
  // 40 kB each: what has been claimed when the third one begins is over the bound.
  expect(most).toBeLessThanOrEqual(3)
})
