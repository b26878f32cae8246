/** Processes that stand still longer than they may, and go on as if nothing had been. */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from './workers/outcomes.ts'
import type { Job } from './workers/protocol.ts'
import { Worker } from './workers/worker.ts'

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
  const cx = bus.context()
  await cx.triggers.create({
    name: 'work',
    source: 'kv',
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'work' },
    retry: { strategy: 'constant', maxAttempts: 3, baseDelayMs: 10, jitter: 'none' },
  })
  const emit = (jobs: Record<string, Job>) =>
    cx.kv.setMany(Object.entries(jobs).map(([key, value]) => ({ collection: 'jobs', key, value })))
  return { db, cx, emit }
}

test('a process stopped within its claim for longer than frozenAfterMs and continued changes nothing (G3)', async () => {
  const { db, cx, emit } = await setUp()
  const dispatch = { holdMs: 400, frozenAfterMs: 500 }
  const frozen = await Worker.start({ url: db.url, dispatch })
  await emit({ a: { ms: 50 }, b: { ms: 50, failures: 1 }, c: { ms: 50, failures: 3 } })
  // They may be claimed by two lanes: one that was not started yet is nobody's attempt.
  for (const key of ['a', 'b', 'c']) await frozen.until((line) => line.kind === 'started' && line.key === key)
  frozen.signal('SIGSTOP')
  const other = await Worker.start({ url: db.url })
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  const before = (await cx.deadLetters.list()).items

  frozen.signal('SIGCONT')
  // It has ended the handlers of attempt 1, tried to settle them, and heard that its claim is over.
  await frozen.until((line) => line.kind === 'log' && line.message.startsWith('a lane lost its connection'))

  expect(before.map(({ event, attempts }) => ({ key: (event as { key: string }).key, attempts }))).toEqual([
    { key: 'c', attempts: 3 },
  ])
  expect((await cx.deadLetters.list()).items).toEqual(before)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(other.started.every(({ attempt }) => attempt > 1)).toBe(true)
  const all = [...frozen.started, ...other.started]
  for (const key of ['a', 'b', 'c']) expect(all.filter((start) => start.key === key).length).toBeLessThanOrEqual(3)
})

test('a process stopped beyond its lease and continued changes nothing (G3)', async () => {
  const { db, cx, emit } = await setUp()
  const frozen = await Worker.start({ url: db.url, dispatch: { holdMs: 20, leaseMs: 300 } })
  await emit({ long: { ms: 400 } })
  await frozen.until((line) => line.kind === 'started')
  // Past the hold: the row is in the outbox again, under a lease.
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.outbox where lease_token is not null', 1)
  frozen.signal('SIGSTOP')
  const other = await Worker.start({ url: db.url })
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)

  frozen.signal('SIGCONT')
  await frozen.until((line) => line.kind === 'log' && line.message.startsWith('the lease was taken over'))
  expect(other.started.map(({ attempt }) => attempt)).toEqual([2])
  expect((await cx.deadLetters.list()).items).toEqual([])
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
})
