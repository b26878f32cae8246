/** Processes that die while they dispatch. Real processes, real signals. */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from './workers/outcomes.ts'
import type { Job } from './workers/protocol.ts'
import { Worker } from './workers/worker.ts'

const MAX_ATTEMPTS = 3

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv()] })
  const bus = await createBus({
    database: db.url,
    plugins: [kv()],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop())
  await bus.context().principals.put('tester', { roles: ['admin'] })
  const cx = bus.context({ principal: { id: 'tester' } })
  await cx.triggers.create({
    name: 'work',
    source: 'kv',
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'work' },
    retry: { strategy: 'constant', maxAttempts: MAX_ATTEMPTS, baseDelayMs: 10, jitter: 'none' },
  })
  const emit = (jobs: Record<string, Job>) =>
    cx.kv.setMany(Object.entries(jobs).map(([key, value]) => ({ collection: 'jobs', key, value })))
  return { db, bus, cx, emit }
}

function jobs(count: number, job: Job, prefix = 'job'): Record<string, Job> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}-${i}`, job]))
}

test('a dispatcher killed in the middle of a batch loses nothing, nothing runs more than its attempts, and no lease is waited for (G1, G3, G7)', async () => {
  const { db, cx, emit } = await setUp()
  // The lease is longer than the test may take.
  const dispatch = { leaseMs: 600_000 }
  const workers = [await Worker.start({ url: db.url, dispatch }), await Worker.start({ url: db.url, dispatch })]
  await emit({ ...jobs(300, { ms: 2 }, 'before'), killer: { ms: 1, kills: 1 }, ...jobs(300, { ms: 2 }, 'after') })
  await Promise.race(workers.map((worker) => worker.exited()))
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)

  const starts = workers.flatMap((worker) => worker.started)
  const byKey = Map.groupBy(starts, ({ key }) => key)
  expect(byKey.size).toBe(601)
  // The killer, and whoever was in flight beside it.
  expect([...byKey.values()].filter((of) => of.length === 2).length).toBeGreaterThan(0)
  expect(Math.max(...[...byKey.values()].map((of) => of.length))).toBe(2)
  // An attempt is started once: what was interrupted is charged, and runs again under the next number.
  for (const of of byKey.values())
    expect(of.map(({ attempt }) => attempt).toSorted((a, b) => a - b)).toEqual(
      of.length === 1 ? [of[0]?.attempt] : [1, 2],
    )
  expect((await cx.deadLetters.list()).items).toEqual([])
})

test('a row whose handler ends the process is a dead letter after maxAttempts, and its neighbours succeed (G7)', async () => {
  const { db, cx, emit } = await setUp()
  await emit({
    ...jobs(20, { ms: 20 }, 'before'),
    killer: { ms: 10, exits: MAX_ATTEMPTS },
    ...jobs(20, { ms: 20 }, 'after'),
  })
  const starts: { key: string; attempt: number }[] = []
  // Whoever runs such a program starts it again; so does this test, until there is nothing left.
  for (let lives = 0; lives < MAX_ATTEMPTS; lives++) {
    const worker = await Worker.start({ url: db.url })
    await worker.exited()
    starts.push(...worker.started)
  }
  const last = await Worker.start({ url: db.url })
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  starts.push(...last.started)

  const { items } = await cx.deadLetters.list()
  expect(
    items.map(({ event, attempts, failureKind, errors }) => ({
      key: (event as { key: string }).key,
      attempts,
      failureKind,
      errors: errors.length,
    })),
  ).toEqual([{ key: 'killer', attempts: MAX_ATTEMPTS, failureKind: 'crashed', errors: MAX_ATTEMPTS }])
  expect(starts.filter(({ key }) => key === 'killer').map(({ attempt }) => attempt)).toEqual([1, 2, 3])
  const neighbours = Map.groupBy(
    starts.filter(({ key }) => key !== 'killer'),
    ({ key }) => key,
  )
  expect(neighbours.size).toBe(40)
  // Charged at most once: since then each of them runs alone.
  expect(Math.max(...[...neighbours.values()].map((of) => of.length))).toBeLessThanOrEqual(2)
})

test('one process emits and another one dispatches (G1)', async () => {
  const { db, emit } = await setUp()
  const worker = await Worker.start({ url: db.url })
  const written = await emit(jobs(50, {}))
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(written.every(({ deliveries }) => deliveries === 1)).toBe(true)
  expect(new Set(worker.started.map(({ key }) => key)).size).toBe(50)
})
