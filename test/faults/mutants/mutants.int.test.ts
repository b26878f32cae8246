/**
 * Each mutant misbehaves where the bus does not, in a scenario as small as can be: so that when the checker passes one, it
 * is the checker. Every scenario runs with the mutant and without.
 */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { asks } from '../../integration/ask-source.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from '../../integration/workers/outcomes.ts'
import { BusChild } from '../failpoints/testing/bus-child.ts'
import type { Started } from '../failpoints/testing/bus-child.ts'
import type { Job } from '../failpoints/testing/protocol.ts'
import { finish } from '../../../core/src/sql/settle/finish.ts'
import { editStatements } from './edit-sql.ts'
import type { Mutant } from './names.ts'

const RETRY = { strategy: 'constant', maxAttempts: 3, baseDelayMs: 10, jitter: 'none' } as const
const WORK = {
  name: 'work',
  source: 'kv',
  filter: { collection: 'jobs' },
  target: { type: 'function', name: 'work' },
  retry: RETRY,
} as const

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv(), asks] })
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: db.url, plugins: [kv(), asks], migrate: true, app: 'shop', log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const cx = bus.context()
  await cx.triggers.create(WORK)
  const emit = (count: number, value: Job) =>
    cx.kv.setMany(Array.from({ length: count }, (_, i) => ({ collection: 'jobs', key: `job-${i}`, value })))
  const done = () => untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  return { db, bus, cx, emit, done }
}

/** Starts of the same attempt of the same delivery beyond the first. */
function startedAgain(starts: readonly Started[]): number {
  return starts.length - new Set(starts.map(({ key, attempt }) => `${key} ${attempt}`)).size
}

/** `mutant`, and the bus as it is. */
function withAndWithout(mutant: Mutant): { mutant?: Mutant }[] {
  return [{ mutant }, {}]
}

test.for(withAndWithout('unfenced-settle'))(
  'a frozen worker that lost its lease makes a live attempt start again: %o (G3)',
  async (how) => {
    const { db, emit, done } = await setUp()
    const dispatch = { holdMs: 20, leaseMs: 300, pollMs: 20, maxPollMs: 50 }
    const frozen = await BusChild.start({ url: db.url, dispatch, ...how })
    // Long enough for the late result to come, and for what it makes of the row, while the other one still runs it.
    await emit(1, { ms: 2_000, failures: 1 })
    await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.outbox where lease_token is not null', 1)
    await frozen.until(() => frozen.started.length === 1)
    frozen.signal('SIGSTOP')
    const other = await BusChild.start({ url: db.url, dispatch: { pollMs: 20, maxPollMs: 50 }, ...how })
    await other.until(() => other.started.length === 1)
    frozen.signal('SIGCONT')
    await done()
    expect(startedAgain([...frozen.started, ...other.started])).toBe(how.mutant ? 1 : 0)
  },
)

test.for(withAndWithout('commit-before-handler'))(
  'a row is taken by another one while it runs: %o (G7)',
  async (how) => {
    const { db, emit, done } = await setUp()
    const dispatch = { pollMs: 20, maxPollMs: 50, holdMs: 5_000 }
    const children = [
      await BusChild.start({ url: db.url, dispatch, ...how }),
      await BusChild.start({ url: db.url, dispatch, ...how }),
    ]
    // Long enough for the other one to look, on a busy machine too.
    await emit(1, { ms: 1_500 })
    await done()
    const attempts = children.flatMap(({ started }) => started.map(({ attempt }) => attempt))
    expect(attempts.length > 1).toBe(how.mutant !== undefined)
  },
)

test.for(withAndWithout('claim-without-limit'))(
  'a note names more rows than a batch holds, and more requests run than there are permits: %o (G6, G8)',
  async (how) => {
    const { db, cx, emit } = await setUp()
    await cx.triggers.create({
      name: 'answer',
      source: 'asks',
      filter: { topic: 'jobs' },
      target: { type: 'function', name: 'answer' },
    })
    await emit(50, { ms: 100 })
    const asked = Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        cx.request('asks', { op: 'ask', topic: 'jobs', value: `request-${i}`, ms: 50 }, { timeoutMs: 20_000 }),
      ),
    )
    await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.outbox', 60)
    const dispatch = { batchRows: 5, concurrency: 3, overloadedAfterMs: 20_000 }
    const child = await BusChild.start({ url: db.url, dispatch, ...how })
    await untilDatabaseSays(db.pool, 'select exists (select from outbus.claim_notes where lowest_id is not null)', true)
    const { rows } = await db.pool.query<{ most: number }>(
      `select max((select sum(high - low + 1) from unnest(run_lows, run_highs) as run (low, high)))::integer as most
from outbus.claim_notes`,
    )
    await asked
    const running = Math.max(...child.started.map((start) => start.running))
    expect({ most: (rows[0]?.most ?? 0) > 5, running: running > 3 }).toEqual({
      most: how.mutant !== undefined,
      running: how.mutant !== undefined,
    })
  },
)

test.for(withAndWithout('epoch-check-off'))(
  'an emit misses a trigger that another process has created: %o (G2)',
  async (how) => {
    const { db, bus, cx } = await setUp()
    const emitter = await BusChild.start({ url: db.url, emitsOnly: true, ...how })
    expect(await emitter.emit({ app: 'shop', key: 'a', job: {} })).toBe(1)
    await cx.triggers.create({ ...WORK, name: 'more work' })
    expect(await emitter.emit({ app: 'shop', key: 'b', job: {} })).toBe(how.mutant ? 1 : 2)

    const inNewApp = { app: 'new', key: 'c', job: {} }
    expect(await emitter.emit(inNewApp)).toBe(0)
    await bus.context({ app: 'new' }).triggers.create(WORK)
    expect(await emitter.emit(inNewApp)).toBe(how.mutant ? 0 : 1)
  },
)

test.for(withAndWithout('note-off'))('a row that kills its process is not charged for it: %o (G7)', async (how) => {
  const { db, emit, done } = await setUp()
  await emit(1, { kills: 1 })
  const lives = [await BusChild.start({ url: db.url, ...how }), await BusChild.start({ url: db.url, ...how })]
  await (how.mutant ? Promise.all(lives.map(({ ended }) => ended)) : done())
  const attempts = lives.flatMap(({ started }) => started.map(({ attempt }) => attempt))
  expect(attempts).toEqual(how.mutant ? [1, 1] : [1, 2])
})

test.for(withAndWithout('app-id-left-out'))("an event fires another app's trigger: %o (G15)", async (how) => {
  const { db, bus } = await setUp()
  await bus.context({ app: 'other' }).triggers.create(WORK)
  const emitter = await BusChild.start({ url: db.url, emitsOnly: true, ...how })
  expect(await emitter.emit({ app: 'shop', key: 'a', job: {} })).toBe(how.mutant ? 2 : 1)
})

test.for(withAndWithout('gate-bypassed-by-sync'))('more requests run than there are permits: %o (G8)', async (how) => {
  const { db, cx } = await setUp()
  await cx.triggers.create({
    name: 'answer',
    source: 'asks',
    filter: { topic: 'jobs' },
    target: { type: 'function', name: 'answer' },
  })
  const asked = Array.from({ length: 20 }, (_, i) =>
    cx.request('asks', { op: 'ask', topic: 'jobs', value: `request-${i}`, ms: 50 }, { timeoutMs: 20_000 }),
  )
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.outbox', 20)
  const dispatch = { concurrency: 2, overloadedAfterMs: 20_000 }
  const child = await BusChild.start({ url: db.url, dispatch, ...how })
  expect((await Promise.all(asked)).every(({ ok }) => ok)).toBe(true)
  expect(Math.max(...child.started.map(({ running }) => running)) > 2).toBe(how.mutant !== undefined)
})

test.for(withAndWithout('one-row-in-ten-thousand-dropped'))('a row is lost: %o (G1)', async (how) => {
  const { db, emit, done } = await setUp()
  await emit(60, {})
  const child = await BusChild.start({ url: db.url, divisor: 20, ...how })
  await done()
  expect(child.started.length).toBe(how.mutant ? 57 : 60)
})

test('a mutant that finds nothing to exchange in a statement is refused, not made', () => {
  expect(() => editStatements([{ of: finish, replace: 'no such text', by: '' }])).toThrow(
    'finish has 0 of "no such text", not 1',
  )
})
