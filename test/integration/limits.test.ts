/** `concurrency` and `rateLimit`: exact over all processes. */
import { createBus, reply } from '@outbus/core'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { setUpBus } from './one-bus.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from './workers/outcomes.ts'
import type { WorkerLine } from './workers/protocol.ts'
import { Worker } from './workers/worker.ts'

type SetEvent = KvEvent & { op: 'set' }
type Ran = Extract<WorkerLine, { kind: 'started' | 'ended' }>

const AT_ONCE = { strategy: 'constant', baseDelayMs: 1, jitter: 'none', maxAttempts: 10 }

async function emitJobs(cx: Awaited<ReturnType<typeof setUpBus>>['cx'], count: number, job: (i: number) => object) {
  await cx.kv.setMany(
    Array.from({ length: count }, (_, i) => ({ collection: 'jobs', key: `k${i}`, value: { ...job(i) } })),
  )
}

/** The most intervals that any moment is in. An interval of a process that was killed ends with its process. */
function mostAtATime(ran: readonly Ran[]): number {
  let running = 0
  let most = 0
  for (const { kind } of ran.toSorted((a, b) => a.at - b.at)) {
    running += kind === 'started' ? 1 : -1
    most = Math.max(most, running)
  }
  return most
}

const ranIn = (workers: readonly Worker[]) =>
  workers.flatMap(({ lines }) => lines.filter((line): line is Ran => line.kind === 'started' || line.kind === 'ended'))

test('concurrency: 3 over four processes is never exceeded, and is used', { timeout: 60_000 }, async () => {
  const { db, cx, trigger } = await setUpBus()
  await trigger('work', AT_ONCE, { concurrency: 3 })
  const workers = await Promise.all([1, 2, 3, 4].map(() => Worker.start({ url: db.url })))
  await emitJobs(cx, 300, (i) => ({ ms: 5 + (i % 10) }))
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  await Promise.all(workers.map((worker) => worker.kill('SIGTERM')))
  const ran = ranIn(workers)
  expect(ran).toHaveLength(600)
  expect(mostAtATime(ran)).toBe(3)
  expect(workers.filter(({ started }) => started.length > 0).length).toBeGreaterThan(1)
})

test(
  'what a killed process ran counts until its lease runs out, then runs again, alone',
  { timeout: 60_000 },
  async () => {
    const { db, cx, trigger } = await setUpBus()
    await trigger('work', AT_ONCE, { concurrency: 2 })
    await emitJobs(cx, 20, (i) => ({ ms: 5, ...(i === 3 ? { kills: 2 } : {}) }))
    const dispatch = { leaseMs: 300 }
    const killed = await Promise.all([1, 2].map(() => Worker.start({ url: db.url, dispatch })))
    await Promise.all(killed.map((worker) => worker.exited()))
    const last = await Worker.start({ url: db.url, dispatch })
    await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
    await last.kill('SIGTERM')
    const started = [...killed, last].flatMap((worker) => worker.started)
    expect(new Set(started.map(({ key }) => key)).size).toBe(20)
    expect(
      started
        .filter(({ key }) => key === 'k3')
        .map(({ attempt }) => attempt)
        .toSorted((a, b) => a - b),
    ).toEqual([1, 2, 3])
    // Beside the killer ran at most one other, and it is charged for that once.
    expect(started.length).toBeLessThanOrEqual(23)
    expect(mostAtATime(ranIn([last]))).toBeLessThanOrEqual(2)
    expect((await cx.deadLetters.list()).items).toEqual([])
  },
)

test('one trigger at its limit holds up no other', async () => {
  const { bus, cx, trigger, outcomes } = await setUpBus()
  await trigger('slow', AT_ONCE, { concurrency: 1 })
  await trigger('quick', AT_ONCE, { concurrency: 5 })
  await trigger('plain', AT_ONCE)
  const slow = Promise.withResolvers<void>()
  let inSlow = 0
  bus.handle('slow', async () => {
    inSlow++
    await slow.promise
    inSlow--
  })
  bus.handle('quick', () => undefined)
  bus.handle('plain', () => undefined)
  await emitJobs(cx, 30, () => ({}))
  await bus.start()
  await outcomes.until((seen) => seen.length === 60)
  expect(inSlow).toBe(1)
  slow.resolve()
  await outcomes.until((seen) => seen.length === 90)
})

test('a change of the number counts at once; taking the limit away lets what waits go', async () => {
  const { bus, cx, trigger, outcomes } = await setUpBus({ concurrency: 50 })
  const { id } = await trigger('work', AT_ONCE, { concurrency: 1 })
  const gate = Promise.withResolvers<void>()
  const reached = new Map([1, 4, 20].map((count) => [count, Promise.withResolvers<void>()]))
  let running = 0
  bus.handle('work', async () => {
    reached.get(++running)?.resolve()
    await gate.promise
  })
  await emitJobs(cx, 20, () => ({}))
  await bus.start()
  await reached.get(1)?.promise
  expect((await cx.triggers.update(id, { concurrency: 4 })).concurrency).toBe(4)
  await reached.get(4)?.promise
  expect(running).toBe(4)
  expect((await cx.triggers.update(id, { concurrency: null })).concurrency).toBeUndefined()
  await reached.get(20)?.promise
  gate.resolve()
  await outcomes.until((seen) => seen.length === 20)
})

test(
  'rateLimit: never more starts within a second, over two processes, than it says',
  { timeout: 60_000 },
  async () => {
    const { db, cx, trigger } = await setUpBus()
    await trigger('work', AT_ONCE, { rateLimit: 20 })
    const workers = await Promise.all([1, 2].map(() => Worker.start({ url: db.url })))
    await emitJobs(cx, 70, () => ({}))
    await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
    await Promise.all(workers.map((worker) => worker.kill('SIGTERM')))
    const { rows: starts } = await db.pool.query<{ within: number }>(
      `select (select sum(deliveries)::integer from outbus.trigger_starts s where s.started_at > e.started_at - interval '1 second' and s.started_at <= e.started_at) as within
       from outbus.trigger_starts e`,
    )
    const at = workers.flatMap(({ started }) => started.map((line) => line.at)).toSorted((a, b) => a - b)
    expect(at).toHaveLength(70)
    // Counted when they are taken; between that and the handler's start lies what this machine has to do meanwhile.
    expect((at.at(-1) as number) - (at[0] as number)).toBeGreaterThan(2_000)
    for (const [i, start] of at.entries())
      expect(at.filter((other, j) => j >= i && other < start + 700).length).toBeLessThanOrEqual(20)
    expect(Math.max(...starts.map(({ within }) => within))).toBe(20)
  },
)

test('a trigger with both: a handler that is limited gets its transaction', async () => {
  const { bus, cx, trigger, outcomes } = await setUpBus()
  await trigger('work', AT_ONCE, { concurrency: 2, transactional: true })
  let running = 0
  let most = 0
  const two = Promise.withResolvers<void>()
  bus.handle<SetEvent>('work', async ({ tx }) => {
    most = Math.max(most, ++running)
    if (running === 2) two.resolve()
    await tx.query('select 1')
    await two.promise
    running--
  })
  await emitJobs(cx, 20, () => ({}))
  await bus.start()
  await outcomes.until((seen) => seen.length === 20)
  expect(most).toBe(2)
})

test('a dead letter of a limited trigger is limited again when it is replayed', async () => {
  const { db, bus, cx, trigger, outcomes } = await setUpBus()
  await trigger('work', { maxAttempts: 1 }, { concurrency: 1 })
  bus.handle('work', () => {
    throw new Error('no')
  })
  await emitJobs(cx, 1, () => ({}))
  await bus.start()
  await outcomes.until((seen) => seen.length === 1)
  await bus.stop()
  const other = await createBus({ database: db.url, app: 'shop' })
  await other.context().deadLetters.replayAll({ source: 'kv' })
  const { rows } = await db.pool.query('select single from outbus.outbox')
  expect(rows).toEqual([{ single: 1 }])
  await other.stop()
})

test('requests and deliveries of a trigger count together; who finds no room in time is told so', async () => {
  // How long a request may wait is part of the second half alone: on a busy machine the first one takes its time.
  const { db, bus, cx, trigger, outcomes } = await setUpBus({ overloadedAfterMs: 60_000 })
  await trigger('work', AT_ONCE, { concurrency: 2 })
  let running = 0
  let most = 0
  const two = Promise.withResolvers<void>()
  const twoAgain = Promise.withResolvers<void>()
  const stuck = Promise.withResolvers<void>()
  let isStuck = 0
  bus.handle<SetEvent>('work', async ({ event }) => {
    most = Math.max(most, ++running)
    if (running === 2) two.resolve()
    if (event.key === 'stuck' && ++isStuck === 2) twoAgain.resolve()
    // Whoever is first waits for the second.
    await (event.key === 'stuck' ? stuck.promise : two.promise)
    running--
    return reply(event.key)
  })
  await bus.start()
  const ask = (key: string) =>
    cx.request('kv', { op: 'set', collection: 'jobs', key, value: 1, version: 1 }, { timeoutMs: 30_000 })
  await emitJobs(cx, 5, () => ({}))
  const answers = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(ask))
  expect(answers.map((answer) => answer.ok)).toEqual([true, true, true, true, true])
  await outcomes.until((seen) => seen.length === 10)

  const holding = [ask('stuck'), ask('stuck')]
  await twoAgain.promise
  const impatient = await createBus({
    database: db.url,
    plugins: [kv()],
    app: 'shop',
    log: pino({ level: 'silent' }),
    dispatch: { overloadedAfterMs: 100 },
  })
  onTestFinished(() => impatient.stop({ graceMs: 0 }))
  impatient.handle('work', () => expect.fail('a third one was started'))
  await impatient.start()
  expect(await ask('late')).toMatchObject({ ok: false, failure: 'overloaded' })
  stuck.resolve()
  expect((await Promise.all(holding)).map((answer) => answer.ok)).toEqual([true, true])
  expect(most).toBe(2)
})

test.each([
  [{ ordered: true, concurrency: 2 }, 'ordered'],
  [{ ordered: true, transactional: true }, 'ordered'],
  [{ ordered: true, rateLimit: 1 }, 'ordered'],
  [{ concurrency: 0 }, 'concurrency'],
  [{ concurrency: 1.5 }, 'concurrency'],
  [{ rateLimit: 0 }, 'rateLimit'],
  [{ rateLimit: 1.5 }, 'rateLimit'],
  [{ rateLimit: 1_001 }, 'rateLimit'],
])('%j is refused, and nothing is written', async (options, path) => {
  const { cx, trigger } = await setUpBus()
  await expect(trigger('work', {}, options)).rejects.toMatchObject({ code: 'trigger.invalid', path })
  expect((await cx.triggers.list()).items).toEqual([])
})
