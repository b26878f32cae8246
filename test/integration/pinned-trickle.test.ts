/** What runs one by one while some transaction pins the xmin horizon: an event costs no more than it did before (G13). */
import { createBus } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import type { UsedTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { said, topics } from './topics.ts'
import { untilDatabaseSays } from './workers/outcomes.ts'

const AT_A_TIME = 500
/** One after another for so long: by then each backend has said what it read. */
const WINDOW_MS = 1_500
const WITHIN_MS = 30_000

const OPTIONS = { plugins: [topics('topics')], migrate: true, app: 'shop', retention: false } as const

async function setUpTrickle(more: object) {
  const db = await useTestDatabase({ plugins: OPTIONS.plugins })
  const bus = await createBus({ ...OPTIONS, database: db.url, log: pino({ level: 'silent' }) })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  let left = 0
  let done = Promise.withResolvers<void>()
  bus.handle('count', () => {
    if (--left === 0) done.resolve()
  })
  await bus.context().principals.put('u_1', { roles: ['admin'] })
  const cx = bus.context({ principal: { id: 'u_1' } })
  const { id } = await cx.triggers.create({
    name: 'count',
    source: 'topics',
    filter: { topic: 'a' },
    target: { type: 'function', name: 'count' },
    ...more,
  })
  await bus.start()
  const run = async (count: number) => {
    left = count
    done = Promise.withResolvers()
    await cx.emitMany(
      'topics',
      Array.from({ length: count }, () => said()),
      Array.from({ length: count }, (_, i) => ({ orderingKey: `k${i % 50}` })),
    )
    await done.promise
  }
  /** Of the tables that a lane works on, for each event. */
  const pagesOfOne = async () => {
    const before = await pagesRead(db)
    const startedAt = performance.now()
    let events = 0
    for (; performance.now() - startedAt < WINDOW_MS; events++) await run(1)
    return ((await pagesRead(db)) - before) / events
  }
  /** What `emit` brings about is run `count` times. */
  const ran = async (count: number, emit: () => Promise<unknown>) => {
    left = count
    done = Promise.withResolvers()
    await emit()
    await done.promise
  }
  /** Each of them leaves its versions behind. */
  const runManyUnderPin = async (count: number) => {
    await run(100)
    const before = await pagesOfOne()
    await pin(db)
    for (let done = 0; done < count; done += AT_A_TIME) await run(AT_A_TIME)
    return before
  }
  return { db, bus, cx, triggerId: id, run, ran, pagesOfOne, runManyUnderPin }
}

async function pagesRead({ pool }: UsedTestDatabase): Promise<number> {
  const { rows } = await pool.query<{ pages: number }>(
    `select sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read)::double precision as pages
     from pg_statio_user_tables where schemaname = 'outbus'`,
  )
  return rows[0]?.pages as number
}

async function pin({ pool }: UsedTestDatabase): Promise<void> {
  const holder = await pool.connect()
  await holder.query('begin isolation level repeatable read')
  await holder.query('select from outbus.outbox')
  onTestFinished(async () => {
    await holder.query('rollback')
    holder.release()
  })
}

test.for([
  // Without marks an event read 2,800 pages.
  ['plain', {}, 20_000, 250],
  // Without marks 3,000 and more.
  ['ordered', { ordered: true }, 10_000, 800],
  // Without marks 9,000 to 14,000. With them the looks at everything have a share of the time, in which a fast machine reads more pages.
  ['transactional', { transactional: true }, 5_000, 2_000],
  ['limited', { concurrency: 5 }, 5_000, 2_000],
  ['rate-limited', { rateLimit: 1_000 }, 5_000, 2_000],
] as const)(
  'under a pinned horizon a lone event of a %s trigger reads no more than before, whatever has run since',
  { timeout: 120_000 },
  async ([, more, runBefore, morePages]) => {
    const { pagesOfOne, runManyUnderPin } = await setUpTrickle(more)
    const before = await runManyUnderPin(runBefore)
    // A look at the very start, each second or less, tells that marks are needed.
    await expect.poll(pagesOfOne, { timeout: WITHIN_MS, interval: 1 }).toBeLessThan(before + morePages)
  },
)

test(
  'under a pinned horizon what is committed late, was due long ago or was parked is run within a moment',
  { timeout: 120_000 },
  async () => {
    const { db, cx, triggerId, run, ran, pagesOfOne, runManyUnderPin } = await setUpTrickle({})
    const before = await runManyUnderPin(20_000)
    await expect.poll(pagesOfOne, { timeout: WITHIN_MS, interval: 1 }).toBeLessThan(before + 250)
    const tookMs = async (count: number, emit: () => Promise<unknown>) => {
      const startedAt = performance.now()
      await ran(count, emit)
      return performance.now() - startedAt
    }

    const late = await db.pool.connect()
    await late.query('begin')
    await cx.with(late).emit('topics', said())
    // Lanes look beyond it meanwhile, again and again.
    for (let others = 0; others < 300; others++) await run(1)
    expect(await tookMs(1, () => late.query('commit'))).toBeLessThan(1_000)
    late.release()

    const past = { runAt: new Date(Date.now() - 3_600_000) }
    expect(await tookMs(1, () => cx.emit('topics', said(), past))).toBeLessThan(1_000)

    await cx.triggers.pause(triggerId)
    await cx.emit('topics', said())
    await untilDatabaseSays(db.pool, 'select exists (select from outbus.outbox where paused) as answer', true)
    expect(await tookMs(1, () => cx.triggers.resume(triggerId))).toBeLessThan(2_500)
  },
)

/** What `count` rows of each trigger leave that were run one by one. */
async function leaveVersions({ pool }: UsedTestDatabase, triggerIds: readonly string[], count: number): Promise<void> {
  const client = await pool.connect()
  // One transaction: dispatchers see none of them.
  await client.query('begin')
  await client.query(
    `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, single)
     select 1, 'versions', gen_random_uuid(), '{}', 1, id, '{"app":"versions"}', 1, gen_random_uuid(), single
     from unnest($1::uuid[]) as id, unnest(array[1, 2]) as single, generate_series(1, $2)`,
    [triggerIds, count],
  )
  await client.query(
    `update outbus.outbox set lease_token = gen_random_uuid(), due_set_at = clock_timestamp() where app_id = 'versions'`,
  )
  await client.query(`delete from outbus.outbox where app_id = 'versions'`)
  await client.query('commit')
  client.release()
}

test(
  'under a pinned horizon a limit holds over dispatchers, and what is retried, committed late or of a quiet trigger runs within a moment',
  { timeout: 120_000 },
  async () => {
    const { db, bus, cx, triggerId, run, pagesOfOne } = await setUpTrickle({ concurrency: 3 })
    const quiet = await cx.triggers.create({
      name: 'quiet',
      source: 'topics',
      filter: { topic: 'b' },
      target: { type: 'function', name: 'quiet' },
      retry: { strategy: 'constant', baseDelayMs: 20, jitter: 'none', maxAttempts: 3 },
      transactional: true,
    })
    const other = await createBus({ ...OPTIONS, database: db.url, log: pino({ level: 'silent' }) })
    onTestFinished(() => other.stop({ graceMs: 0 }))
    let running = 0
    let most = 0
    let slow = 0
    let left = 0
    let done = Promise.withResolvers<void>()
    for (const each of [bus, other]) {
      each.handle('slow', async () => {
        most = Math.max(most, ++running)
        // So that as many are started as may be.
        await new Promise((resolve) => setImmediate(resolve))
        running--
        slow++
        if (--left === 0) done.resolve()
      })
      each.handle('quiet', ({ attempt }) => {
        if (attempt === 1) throw new Error('not yet')
        if (--left === 0) done.resolve()
      })
    }
    const untilRan = async (count: number, emit: () => Promise<unknown>) => {
      left = count
      done = Promise.withResolvers()
      const startedAt = performance.now()
      await emit()
      await done.promise
      return performance.now() - startedAt
    }
    await run(100)
    const before = await pagesOfOne()
    await pin(db)
    await leaveVersions(db, [triggerId, quiet.id], 2_500)
    await expect.poll(pagesOfOne, { timeout: WITHIN_MS, interval: 1 }).toBeLessThan(before + 800)

    await cx.triggers.update(triggerId, { target: { type: 'function', name: 'slow' } })
    await other.start()
    // Others of this trigger run meanwhile, so that the marks go on.
    await untilRan(1_500, () =>
      cx.emitMany(
        'topics',
        Array.from({ length: 1_500 }, () => said()),
      ),
    )
    expect(slow).toBe(1_500)
    expect(most).toBe(3)

    // Its versions are looked over by no one, and its first row for long is found by its id.
    expect(await untilRan(1, () => cx.emit('topics', said('b')))).toBeLessThan(2_000)
    const late = await db.pool.connect()
    await late.query('begin')
    await cx.with(late).emit('topics', said('b'))
    await untilRan(300, () =>
      cx.emitMany(
        'topics',
        Array.from({ length: 300 }, () => said()),
      ),
    )
    expect(await untilRan(1, () => late.query('commit'))).toBeLessThan(2_000)
    late.release()
    expect(most).toBe(3)
  },
)
