/** Handlers of which their process does not come back, or dies: each ends in one outcome all the same, and so do its neighbours. */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from './workers/outcomes.ts'
import type { Job, WorkerProcess } from './workers/protocol.ts'
import { Worker } from './workers/worker.ts'

const MAX_ATTEMPTS = 2

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv()] })
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: db.url, plugins: [kv()], migrate: true, app: 'shop', history: 'all', log })
  onTestFinished(() => bus.stop())
  const cx = bus.context()
  await cx.triggers.create({
    name: 'work',
    source: 'kv',
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'work' },
    retry: { strategy: 'constant', maxAttempts: MAX_ATTEMPTS, baseDelayMs: 10, jitter: 'none' },
  })
  const emit = (jobs: Record<string, Job>) =>
    cx.kv.setMany(Object.entries(jobs).map(([key, value]) => ({ collection: 'jobs', key, value })))
  return { db, cx, emit }
}

const SMALL: WorkerProcess = { heapMb: 100 }

const ENDINGS: readonly (readonly [what: string, job: Job, how: WorkerProcess])[] = [
  ['calls process.exit', { exits: MAX_ATTEMPTS }, {}],
  ['blocks the event loop', { blocks: MAX_ATTEMPTS }, {}],
  ['leaks memory until its process is killed', { leaks: MAX_ATTEMPTS }, SMALL],
  // V8 and Node say so on the standard error of the process.
  ['throws where nobody catches it', { throwsOutside: MAX_ATTEMPTS }, SMALL],
  ['rejects what nobody awaits', { rejectsOutside: MAX_ATTEMPTS }, SMALL],
]

test.for(ENDINGS)(
  'a handler that %s is one dead letter of the kind crashed, after maxAttempts and no more (G3, G7, G18)',
  { timeout: 60_000 },
  async ([, job, how]) => {
    const { db, cx, emit } = await setUp()
    await emit({ before: {}, bad: job, after: {} })
    // A process that is blocked says nothing any more: Postgres ends its claim, and somebody else takes the rows.
    const settings = { url: db.url, dispatch: { holdMs: 100, frozenAfterMs: 300 } }
    const starts: { key: string; attempt: number }[] = []
    // Whoever runs such a program starts it again.
    for (let lives = 1; lives <= MAX_ATTEMPTS; lives++) {
      const worker = await Worker.start(settings, how)
      await worker.until((line) => line.kind === 'started' && line.key === 'bad')
      if (job.blocks === undefined) await worker.exited()
      starts.push(...worker.started)
    }
    const last = await Worker.start(settings, how)
    await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
    starts.push(...last.started)

    const { items } = await cx.deadLetters.list({ resolution: 'any' })
    expect(
      items.map(({ event, attempts, failureKind, errors }) => [event, attempts, failureKind, errors.length]),
    ).toEqual([[expect.objectContaining({ key: 'bad' }), MAX_ATTEMPTS, 'crashed', MAX_ATTEMPTS]])
    const attemptsOf = (key: string) => starts.filter((start) => start.key === key).map(({ attempt }) => attempt)
    expect(attemptsOf('bad')).toEqual([1, 2])
    // In flight beside it they are charged at most once: since then each of them runs alone.
    for (const key of ['before', 'after']) expect([[1], [1, 2], [2]]).toContainEqual(attemptsOf(key))
  },
)
