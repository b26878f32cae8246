/** Request and reply: one attempt, one reply or one abandoned execution, whoever dies. */
import { createBus, memoryInboxes, reply as replyWith, withTransaction } from '@outbus/core'
import type { Reply } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import type { Instructions } from './ask-source.ts'
import { answer, asks } from './ask-source.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'
import { CallerProcess, Responder } from './workers/requests.ts'

const expectRefused = (call: Promise<unknown>, error: object) =>
  expect(call).rejects.toMatchObject({ name: 'OutbusError', ...error })
const log = pino({ level: 'silent' })
type Asked = Partial<Instructions>

async function setUp({ dispatch = {}, inboxes = undefined as ReturnType<typeof memoryInboxes> | undefined } = {}) {
  const db = await useTestDatabase({ plugins: [] })
  const options = { database: db.url, plugins: [asks], app: 'shop', log, ...(inboxes === undefined ? {} : { inboxes }) }
  const bus = await createBus({ ...options, migrate: true, dispatch })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  bus.handle<Instructions>('answer', answer)
  const cx = bus.context()
  const trigger = (name: string, more: object = {}) =>
    cx.triggers.create({
      name,
      source: 'asks',
      filter: { topic: 'answers' },
      target: { type: 'function', name: 'answer' },
      ...more,
    })
  await trigger('answering', { retry: { maxAttempts: 5, strategy: 'constant', baseDelayMs: 1, jitter: 'none' } })
  const ask = (asked: Asked = {}, options?: Parameters<typeof cx.request>[2]): Promise<Reply> =>
    cx.request('asks', { op: 'ask', topic: 'answers', ...asked }, options)
  return { db, bus, cx, ask, trigger, options, outcomes: watchOutcomes('shop') }
}

const ABANDONED = 'select count(*)::integer from outbus.abandoned_executions'
const CALLER_IS_GONE = 'select exists (select from outbus.outbox where reply_by <= clock_timestamp())'
const RUNNING = 'select count(*)::integer from outbus.outbox where reply_to is not null and lease_token is not null'

test('the reply of a dispatcher in another process comes back as it was given, and leaves nothing behind', async () => {
  const { db, ask } = await setUp()
  await Responder.start({ url: db.url })
  const value = { list: [1, 'zwei', null], nested: { deep: true } }
  expect(await ask({ value })).toEqual({
    ok: true,
    requestId: expect.any(String),
    idempotencyKey: expect.any(String),
    value,
  })
  expect(await ask({ does: 'nothing' })).toMatchObject({ ok: true, value: null })
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.replies where taken_at is null', 0)
  await untilDatabaseSays(db.pool, ABANDONED, 0)
})

test.for<[does: Instructions['does'], reply: object]>([
  ['throw', { ok: false, failure: 'handler_error', message: 'fails on purpose' }],
  ['forbid', { ok: false, failure: 'forbidden', message: 'not for you' }],
  ['wait', { ok: false, failure: 'handler_error', retryAfterMs: 1_500 }],
  ['bury', { ok: false, failure: 'handler_error', message: 'hopeless' }],
  ['discard', { ok: true, value: null }],
  ['reply oddly', { ok: false, failure: 'handler_error', message: expect.stringContaining('BigInt') as unknown }],
])('a handler that does %s is run once, answers, and makes no dead letter', async ([does, expected]) => {
  const { bus, ask, cx, db, outcomes } = await setUp()
  await bus.start()
  expect(await ask({ does })).toMatchObject(expected)
  await outcomes.until((seen) => seen.length === 1)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(outcomes.seen.map(({ attempt }) => attempt)).toEqual([1])
  expect((await cx.deadLetters.list()).items).toEqual([])
})

test('where no trigger answers, that is the reply, and nothing was written', async () => {
  const { bus, ask, cx, db } = await setUp()
  await bus.start()
  expect(await ask({ topic: 'other' })).toMatchObject({ ok: false, failure: 'not_found' })
  expect(await cx.submit('asks', { op: 'ask', topic: 'other' })).toBeUndefined()
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
})

test('of several triggers one answers: the highest rank, then the highest priority, then the oldest', async () => {
  const { bus, ask, trigger, outcomes } = await setUp()
  await bus.start()
  const answeredBy = async () => {
    const before = outcomes.seen.length
    await ask()
    await outcomes.until((seen) => seen.length === before + 1)
    return outcomes.seen.at(-1)?.trigger
  }
  await trigger('younger')
  expect(await answeredBy()).toBe('answering')
  await trigger('preferred', { priority: 'high' })
  expect(await answeredBy()).toBe('preferred')
  await trigger('ranked', { filter: { topic: 'answers', rank: 1 } })
  expect(await answeredBy()).toBe('ranked')
})

test('a caller whose time is over hears so, and the late reply is one abandoned execution that its id finds (G8)', async () => {
  const { bus, db, ask, cx, outcomes } = await setUp()
  await bus.start()
  const goOn = Promise.withResolvers<void>()
  bus.handle('answer', async () => {
    await goOn.promise
    return replyWith('late')
  })
  const reply = await ask({}, { timeoutMs: 1_500 })
  expect(reply).toMatchObject({ ok: false, failure: 'timeout' })
  expect(await cx.requests.get(reply.requestId)).toEqual({ state: 'pending', requestId: reply.requestId })
  await untilDatabaseSays(db.pool, CALLER_IS_GONE, true)
  goOn.resolve()
  await outcomes.until((seen) => seen.length === 1)
  expect(outcomes.seen[0]?.outcome).toEqual({ kind: 'abandoned' })
  const late = {
    ok: true,
    value: 'late',
    requestId: reply.requestId,
    idempotencyKey: expect.stringMatching(`^${reply.requestId}_`),
  }
  expect(await cx.requests.get(reply.requestId)).toEqual({
    state: 'abandoned',
    requestId: reply.requestId,
    reply: late,
  })
  const { items } = await cx.requests.abandoned()
  expect(items).toMatchObject([
    { requestId: reply.requestId, source: 'asks', trigger: { name: 'answering' }, reply: late },
  ])
  expect(bus.stats).toMatchObject({ abandoned: 1, done: 0 })
})

test('a caller that leaves is one abandoned execution, while it is running and before it was started (G8)', async () => {
  const { bus, db, ask, cx, outcomes } = await setUp({ dispatch: { concurrency: 1, overloadedAfterMs: 60_000 } })
  await bus.start()
  const leaves = new AbortController()
  const running = ask({ ms: 200 }, { signal: leaves.signal })
  await untilDatabaseSays(db.pool, RUNNING, 1)
  const waiting = ask({ does: 'throw' }, { signal: leaves.signal })
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.outbox where reply_to is not null', 2)
  leaves.abort()
  expect(await running).toMatchObject({ ok: false, failure: 'cancelled' })
  expect(await waiting).toMatchObject({ ok: false, failure: 'cancelled' })
  await outcomes.until((seen) => seen.length === 2)
  const { items } = await cx.requests.abandoned()
  expect(items.map(({ reply }) => reply)).toMatchObject([{ ok: true }, { ok: false, failure: 'cancelled' }])
})

test('a caller that left before it asked runs nothing', async () => {
  const { bus, db, ask, outcomes } = await setUp()
  await bus.start()
  expect(await ask({}, { signal: AbortSignal.abort() })).toMatchObject({ ok: false, failure: 'cancelled' })
  await outcomes.until((seen) => seen.length === 1)
  await untilDatabaseSays(db.pool, ABANDONED, 1)
})

test('a caller killed while it waits is one abandoned execution once its time is over (G8)', async () => {
  const { db, bus } = await setUp()
  const killed = await CallerProcess.start({ url: db.url })
  killed.ask([{ topic: 'answers', ms: 100, does: 'reply', value: 'nobody' }], { timeoutMs: 1_000 })
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.outbox', 1)
  await killed.kill('SIGKILL')
  await bus.start()
  await untilDatabaseSays(db.pool, ABANDONED, 1)
  const { items } = await bus.context().requests.abandoned()
  expect(items).toMatchObject([{ reply: { ok: true, value: 'nobody' } }])
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.replies', 0)
})

test('a dispatcher killed in the middle of a request is a failed reply, and no second run', async () => {
  const { db, ask, bus } = await setUp({ dispatch: { leaseMs: 500 } })
  const killed = await Responder.start({ url: db.url, dispatch: { leaseMs: 500 } })
  const reply = ask({ does: 'kill' })
  await killed.exited()
  // This one would run it a second time, and die of it.
  await bus.start()
  expect(await reply).toMatchObject({ ok: false, failure: 'crashed' })
})

test('a reply outlives the dispatcher that wrote it, and the hint that was lost with it', async () => {
  // Each bus with hints of its own: neither ever hears the other.
  const { db, ask, options } = await setUp({ inboxes: memoryInboxes() })
  const other = await createBus({ ...options, inboxes: memoryInboxes() })
  other.handle<Instructions>('answer', answer)
  await other.start()
  const reply = ask({ value: 1, ms: 20 })
  await untilDatabaseSays(db.pool, 'select exists (select from outbus.replies)', true)
  await other.stop({ graceMs: 0 })
  expect(await reply).toMatchObject({ ok: true, value: 1 })
})

test('a backlog of deliveries does not starve a request: a share of the permits is the requests’ own (G8)', async () => {
  const { bus, cx, ask, trigger, outcomes } = await setUp({ dispatch: { concurrency: 4, requestConcurrency: 1 } })
  const held = Promise.withResolvers<void>()
  let holding = 0
  const full = Promise.withResolvers<void>()
  bus.handle('hold', () => {
    if (++holding === 3) full.resolve()
    return held.promise
  })
  await trigger('holding', { filter: { topic: 'backlog' }, target: { type: 'function', name: 'hold' } })
  await bus.start()
  await cx.emitMany(
    'asks',
    Array.from({ length: 50 }, () => ({ op: 'ask' as const, topic: 'backlog' })),
  )
  await full.promise
  for (let i = 0; i < 3; i++) expect(await ask({ value: i })).toMatchObject({ ok: true, value: i })
  expect(holding).toBe(3)
  held.resolve()
  await outcomes.until((seen) => seen.length === 53)
})

test('while the gate is full a request is answered overloaded, with the time to come back, and the others are served', async () => {
  const { bus, ask } = await setUp({ dispatch: { concurrency: 2, requestConcurrency: 1, overloadedAfterMs: 500 } })
  await bus.start()
  const replies = await Promise.all([ask({ ms: 2_000 }), ask({ ms: 2_000 }), ask(), ask()])
  expect(replies.filter(({ ok }) => ok)).toHaveLength(2)
  for (const reply of replies.filter(({ ok }) => !ok)) {
    expect(reply).toMatchObject({ failure: 'overloaded', retryAfterMs: expect.any(Number) as number })
  }
  expect(bus.stats.overloaded).toBe(2)
  expect(await ask({ value: 'again' })).toMatchObject({ ok: true, value: 'again' })
})

test('a submitted request is pending, then replied, for its own app only (G15)', async () => {
  const { bus, cx, outcomes } = await setUp()
  const submitted = await cx.submit('asks', { op: 'ask', topic: 'answers', value: 7 })
  const requestId = submitted?.requestId as string
  expect(await cx.requests.get(requestId)).toEqual({ state: 'pending', requestId })
  await bus.start()
  await outcomes.until((seen) => seen.length === 1)
  const idempotencyKey = expect.stringMatching(`^${requestId}_`)
  const state = { state: 'replied', requestId, reply: { ok: true, value: 7, requestId, idempotencyKey } }
  expect(await cx.requests.get(requestId)).toEqual(state)
  expect(await cx.requests.get(requestId)).toEqual(state)
  expect(await bus.context({ app: 'other' }).requests.get(requestId)).toBeUndefined()
})

test('who waits for a reply goes before what was submitted earlier', async () => {
  const { bus, db, cx, ask, outcomes } = await setUp({ dispatch: { concurrency: 1 } })
  for (let i = 0; i < 5; i++) await cx.submit('asks', { op: 'ask', topic: 'answers' })
  const asked = ask({ does: 'throw' })
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.outbox', 6)
  await bus.start()
  await asked
  await outcomes.until((seen) => seen.length === 6)
  expect(outcomes.seen[0]?.outcome.kind).toBe('failed')
})

test('a request deeper than maxTriggerDepth is answered so, and a chain that is too long ends there', async () => {
  const { bus, ask, outcomes } = await setUp({ dispatch: { maxTriggerDepth: 2 } })
  const replies: Reply[] = []
  bus.handle<Instructions>('answer', async ({ cx }) => {
    replies.push(await cx.request('asks', { op: 'ask', topic: 'answers' }))
  })
  await bus.start()
  await ask()
  await outcomes.until((seen) => seen.length === 3)
  expect(replies).toMatchObject([{ ok: false, failure: 'depth_exceeded' }, { ok: true }])
})

test('stopping waits for replies within its grace, and sends the callers away after it', async () => {
  const { bus, db, ask, options } = await setUp()
  const other = await createBus(options)
  onTestFinished(() => other.stop({ graceMs: 0 }))
  await bus.start()
  const cx = other.context()
  const asked = (ms: number) => cx.request('asks', { op: 'ask', topic: 'answers', ms, value: ms })
  const soon = asked(50)
  await other.stop()
  expect(await soon).toMatchObject({ ok: true, value: 50 })
  const never = ask({ ms: 60_000 })
  // Not before it runs: a request that was not written yet is refused, which is another promise.
  await untilDatabaseSays(db.pool, RUNNING, 1)
  await bus.stop({ graceMs: 50 })
  expect(await never).toMatchObject({ ok: false })
})

test('requests are refused in a transaction, of a stopped bus, and with options that mean nothing', async () => {
  const { bus, db, cx, ask } = await setUp()
  await withTransaction(db.pool, async (tx) => {
    await expectRefused(cx.with(tx).request('asks', { op: 'ask', topic: 'answers' }), {
      code: 'request.in_transaction',
    })
  })
  await expectRefused(ask({}, { timeoutMs: 0 }), { code: 'request.invalid', path: 'timeoutMs' })
  await expectRefused(ask({}, { timeoutMs: 600_001 }), { code: 'request.invalid', path: 'timeoutMs' })
  await expectRefused(ask({}, { timeout: 5 } as never), { code: 'request.invalid' })
  await expectRefused(ask({ ms: 'x' as never }), { code: 'event.invalid' })
  await expectRefused(cx.requests.get('x'), { code: 'id.malformed' })
  await expectRefused(cx.requests.abandoned({ limit: 0 }), { code: 'page.limit' })
  await bus.stop()
  await expectRefused(ask(), { code: 'bus.stopped' })
})
