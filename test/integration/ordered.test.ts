/** Ordered triggers: per (trigger, ordering key) strictly one after another, in commit order (G5). */
import { withTransaction } from '@outbus/core'
import type { KvEvent } from '@outbus/kv'
import { expect, test } from 'vitest'
import { setUpBus } from './one-bus.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from './workers/outcomes.ts'
import type { WorkerLine } from './workers/protocol.ts'
import { Worker } from './workers/worker.ts'

type Ran = Extract<WorkerLine, { kind: 'started' | 'ended' }>
type SetEvent = KvEvent & { op: 'set' }

const SOON = { strategy: 'constant', baseDelayMs: 5, jitter: 'none', maxAttempts: 20 }

/** Per key: each number begins after all before it have ended, and none begins while another one runs. */
function expectInLine(lines: readonly WorkerLine[], numbers: number): void {
  const ran = lines.filter((line): line is Ran => line.kind === 'started' || line.kind === 'ended')
  const numberOf = new Map<string, number>()
  for (const line of ran)
    if (line.kind === 'started') numberOf.set(line.deliveryId, (line.value as { number: number }).number)
  for (const of of Map.groupBy(ran, ({ key }) => key).values()) {
    const inTime = of.toSorted((a, b) => a.at - b.at)
    let ended = 0
    let running: string | undefined
    for (const { kind, deliveryId, attempt } of inTime) {
      if (kind === 'started') {
        expect(numberOf.get(deliveryId)).toBe(ended + 1)
        running = `${deliveryId}/${attempt}`
      } else {
        expect(`${deliveryId}/${attempt}`).toBe(running)
        ended++
      }
    }
    expect(ended).toBe(numbers)
  }
}

async function emitRounds(cx: Awaited<ReturnType<typeof setUpBus>>['cx'], keys: number, rounds: number, job: object) {
  for (let number = 1; number <= rounds; number++) {
    const entries = Array.from({ length: keys }, (_, k) => ({
      collection: 'jobs',
      key: `k${k}`,
      value: { number, ...job },
    }))
    await cx.kv.setMany(entries)
  }
}

test(
  '120 keys × 80 events, handlers that fail at random, three processes: no inversion and no overlap within a key',
  { timeout: 120_000 },
  async () => {
    const { db, cx, trigger } = await setUpBus()
    await trigger('work', SOON, { ordered: true })
    const workers = await Promise.all([1, 2, 3].map(() => Worker.start({ url: db.url })))
    await emitRounds(cx, 120, 80, { failsAtRandom: 0.05 })
    await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
    for (const worker of workers) expect(worker.started.length).toBeGreaterThan(0)
    await Promise.all(workers.map((worker) => worker.kill('SIGTERM')))
    expectInLine(
      workers.flatMap(({ lines }) => lines),
      80,
    )
  },
)

test('a process that is killed does not break the line: what it ran is run again before what follows', async () => {
  const { db, cx, trigger } = await setUpBus()
  await trigger('work', SOON, { ordered: true })
  await emitRounds(cx, 5, 10, { ms: 2 })
  await cx.kv.set('jobs', 'k2', { number: 11, ms: 5, kills: 1 })
  await emitRounds(cx, 5, 10, { ms: 2 })
  const killed = await Worker.start({ url: db.url })
  await killed.exited()
  const other = await Worker.start({ url: db.url })
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  await other.kill('SIGTERM')
  // By key, in the order of time, without the repetitions of what was interrupted.
  const started = [...killed.started, ...other.started].toSorted((a, b) => a.at - b.at)
  for (const [key, of] of Map.groupBy(started, (line) => line.key)) {
    const ids = [...new Set(of.map(({ deliveryId }) => deliveryId))]
    expect(ids).toEqual(ids.toSorted((a, b) => Number(a) - Number(b)))
    expect(ids).toHaveLength(key === 'k2' ? 21 : 20)
  }
})

test('a row that waits for its retry, or takes long, holds back its key and only it', async () => {
  const { bus, cx, trigger, outcomes } = await setUpBus({ concurrency: 10, holdMs: 20 })
  await trigger('work', { strategy: 'constant', baseDelayMs: 200, jitter: 'none', maxAttempts: 2 }, { ordered: true })
  const ran: string[] = []
  const slow = Promise.withResolvers<void>()
  bus.handle<SetEvent>('work', async ({ event: { key, value }, attempt }) => {
    ran.push(`${key}${JSON.stringify(value)}#${attempt}`)
    if (key === 'fails' && value === 1 && attempt === 1) throw new Error('once')
    if (key === 'slow' && value === 1) await slow.promise
  })
  for (const value of [1, 2]) for (const key of ['fails', 'slow', 'other']) await cx.kv.set('jobs', key, value)
  await bus.start()
  await outcomes.until((seen) => seen.filter(({ outcome }) => outcome.kind === 'done').length === 4)
  expect(ran.filter((name) => name.startsWith('slow'))).toEqual(['slow1#1'])
  slow.resolve()
  await outcomes.until((seen) => seen.filter(({ outcome }) => outcome.kind === 'done').length === 6)
  const of = (key: string) => ran.filter((name) => name.startsWith(key))
  expect(of('fails')).toEqual(['fails1#1', 'fails1#2', 'fails2#1'])
  expect(of('slow')).toEqual(['slow1#1', 'slow2#1'])
  expect(ran.indexOf('other2#1')).toBeLessThan(ran.indexOf('fails1#2'))
})

test('a row that dies lets the next one go; a replay goes to the end of the line', async () => {
  const { bus, cx, trigger, outcomes } = await setUpBus()
  await trigger('work', { maxAttempts: 1 }, { ordered: true })
  const ran: unknown[] = []
  let broken = true
  bus.handle<SetEvent>('work', ({ event: { value } }) => {
    ran.push(value)
    if (value === 1 && broken) throw new Error('no')
  })
  for (const value of [1, 2, 3]) await cx.kv.set('jobs', 'k', value)
  await bus.start()
  await outcomes.until((seen) => seen.length === 3)
  broken = false
  const { items } = await cx.deadLetters.list()
  await cx.deadLetters.replay(items[0]?.id as string)
  await cx.kv.set('jobs', 'k', 4)
  await outcomes.until((seen) => seen.length === 5)
  expect(ran).toEqual([1, 2, 3, 1, 4])
})

test('the order is that of commits: who writes to a key second waits for the first one, others do not', async () => {
  const { bus, db, cx, trigger, outcomes } = await setUpBus()
  await trigger('work', { maxAttempts: 1 }, { ordered: true })
  const ran: string[] = []
  bus.handle<SetEvent>('work', ({ event: { key, value } }) => void ran.push(`${key}${JSON.stringify(value)}`))
  await bus.start()
  const emit = (on: typeof cx, key: string, value: number) =>
    on.emit('kv', { op: 'set', collection: 'jobs', key, value, version: 0 })
  let second: Promise<unknown> | undefined
  await withTransaction(db.pool, async (tx) => {
    await emit(cx.with(tx), 'k', 1)
    second = emit(cx, 'k', 2)
    await emit(cx, 'other', 1)
    await outcomes.until((seen) => seen.length === 1)
    expect(ran).toEqual(['other1'])
  })
  await second
  await outcomes.until((seen) => seen.length === 3)
  expect(ran).toEqual(['other1', 'k1', 'k2'])
})

test('what a transaction rolled back leaves no gap in the line, and two triggers have two lines', async () => {
  const { bus, db, cx, trigger, outcomes } = await setUpBus()
  await trigger('work', { maxAttempts: 1 }, { ordered: true })
  await trigger('loose')
  const ran: unknown[] = []
  bus.handle<SetEvent>('work', ({ event: { value } }) => void ran.push(value))
  bus.handle('loose', () => undefined)
  await cx.kv.set('jobs', 'k', 1)
  const rolledBack = withTransaction(db.pool, async (tx) => {
    await cx.with(tx).kv.set('jobs', 'k', 2)
    throw new Error('rolled back')
  })
  await expect(rolledBack).rejects.toThrow('rolled back')
  await cx.kv.set('jobs', 'k', 3)
  await bus.start()
  await outcomes.until((seen) => seen.length === 4)
  expect(ran).toEqual([1, 3])
})

test('more keys than a claim looks at, all of them waiting, starve nobody', async () => {
  const { bus, db, cx, trigger, outcomes } = await setUpBus()
  const { id } = await trigger('work', { maxAttempts: 1 }, { ordered: true })
  const later = Array.from({ length: 2_500 }, (_, i) => ({
    op: 'set' as const,
    collection: 'jobs',
    key: `a${i}`,
    value: 1,
    version: 0,
  }))
  await cx.emitMany(
    'kv',
    later,
    later.map(() => ({ delayMs: 3_600_000 })),
  )
  await cx.kv.set('jobs', 'z', 1)
  let ran = 0
  bus.handle('work', () => void ran++)
  await bus.start()
  await outcomes.until((seen) => seen.length === 1)
  expect(ran).toBe(1)
  expect((await cx.triggers.get(id)).ordered).toBe(true)
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.outbox', 2_500)
})
