/** The history of attempts, and how long what is done with is kept. */
import { createBus } from '@outbus/core'
import type { BusOptions } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

type Options = Pick<BusOptions<[]>, 'history' | 'retention'>

async function setUp(options: Options = {}) {
  const db = await useTestDatabase({ plugins: [kv()] })
  const bus = await createBus({
    database: db.url,
    plugins: [kv()],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
    ...options,
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const cx = bus.context()
  await cx.triggers.create({
    name: 'work',
    source: 'kv',
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'work' },
    retry: { maxAttempts: 2, strategy: 'constant', baseDelayMs: 1, jitter: 'none' },
  })
  bus.handle<{ key: string }>('work', ({ event, attempt }) => {
    if (event.key === 'dies' || (event.key === 'fails once' && attempt === 1)) throw new Error(`no ${attempt}`)
  })
  return { db, bus, cx, outcomes: watchOutcomes('shop') }
}

const RECORDED = 'select count(*)::integer from outbus.attempts'

async function runJobs({ cx, bus, outcomes }: Awaited<ReturnType<typeof setUp>>) {
  for (const key of ['works', 'fails once', 'dies']) await cx.kv.set('jobs', key, 1)
  await bus.start()
  await outcomes.until((seen) => seen.length === 5)
}

test('all: every attempt with its start, end, outcome and error; newest first, for its own app', async () => {
  const all = await setUp({ history: 'all' })
  await runJobs(all)
  const { db, bus, cx } = all
  await untilDatabaseSays(db.pool, RECORDED, 5)
  const { items } = await cx.history.list()
  expect(items.map(({ outcome }) => outcome).toSorted()).toEqual(['dead', 'done', 'done', 'retry', 'retry'])
  const [dead] = items.filter(({ outcome }) => outcome === 'dead')
  expect(dead).toMatchObject({ attempt: 2, trigger: { name: 'work', source: 'kv' }, error: { message: 'no 2' } })
  for (const { startedAt, endedAt } of items)
    expect(endedAt.getTime()).toBeGreaterThanOrEqual((startedAt as Date).getTime())
  const ofDelivery = await cx.history.list({ deliveryId: dead?.deliveryId as string })
  expect(ofDelivery.items.map(({ attempt }) => attempt)).toEqual([2, 1])
  const first = await cx.history.list({ triggerName: 'work' }, { limit: 2 })
  const second = await cx.history.list({ triggerName: 'work' }, { limit: 2, cursor: first.nextCursor as string })
  expect([...first.items, ...second.items]).toEqual(items.slice(0, 4))
  expect((await bus.context({ app: 'other' }).history.list()).items).toEqual([])
  await expect(cx.history.list({ outcome: 'nope' as never })).rejects.toMatchObject({ code: 'options.invalid' })
  await expect(cx.history.list({ deliveryId: 'x' })).rejects.toMatchObject({ code: 'id.malformed' })
})

test('failures, the default: what went well is not kept; a crash has no start', async () => {
  const all = await setUp()
  await runJobs(all)
  await untilDatabaseSays(all.db.pool, RECORDED, 3)
  await all.bus.stop()
  expect((await all.db.pool.query(RECORDED)).rows).toEqual([{ count: 3 }])
})

test('off: nothing is kept', async () => {
  const all = await setUp({ history: 'off' })
  await runJobs(all)
  await all.bus.stop()
  expect((await all.db.pool.query(RECORDED)).rows).toEqual([{ count: 0 }])
})

test('days are tables, added when they are needed and dropped as a whole', async () => {
  const all = await setUp({ history: 'all', retention: { historyDays: 2 } })
  const { db, bus } = all
  await runJobs(all)
  await untilDatabaseSays(db.pool, RECORDED, 5)
  const days = async () => {
    const { rows } = await db.pool.query<{ name: string }>(
      `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'outbus.attempts'::regclass order by 1`,
    )
    return rows.map(({ name }) => name)
  }
  expect(await days()).toHaveLength(3)
  await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      db.pool.query(`select outbus.add_attempts_partition((now() at time zone 'UTC')::date - ${3 + (i % 2)})`),
    ),
  )
  expect(await days()).toHaveLength(5)
  expect(await bus.upkeep()).toMatchObject({ historyDays: 2 })
  expect(await days()).toHaveLength(3)
  expect((await db.pool.query(RECORDED)).rows).toEqual([{ count: 5 }])
})

const LETTER = `insert into outbus.dead_letters (app_id, delivery_id, source, trigger_id, trigger_name, event_id, event, event_version,
  trigger, priority, depth, root_id, attempts, failure_kind, reason, errors, emitted_at, died_at, resolution, resolved_at)
  select 'shop', 1, 'kv', gen_random_uuid(), 'work', gen_random_uuid(), '{}', 1, '{}', 1, 1, gen_random_uuid(), 1, 'timeout', 'x', '[]',
    now(), now() - died * interval '1 day', case when resolved is not null then 'discarded' end, now() - resolved * interval '1 day'
  from unnest($1::integer[], $2::integer[]) as letter (died, resolved)`

const LETTERS = 'select count(*)::integer from outbus.dead_letters'

test('upkeep removes resolved letters and abandoned executions of old, and what else it is told to', async () => {
  const { db, bus } = await setUp({ retention: { resolvedDeadLettersDays: 10, abandonedDays: 10 } })
  await db.pool.query(LETTER, [
    [100, 100, 100, 5],
    [null, 50, 5, 1],
  ])
  await db.pool.query(
    `insert into outbus.abandoned_executions (request_id, app_id, delivery_id, source, trigger_id, trigger_name, reply, emitted_at, replied_at, abandoned_at)
     select gen_random_uuid(), 'shop', 1, 'kv', gen_random_uuid(), 'work', '{}', now(), now(), now() - days * interval '1 day' from unnest(array[1, 20]) as days`,
  )
  expect(await bus.upkeep()).toMatchObject({ deadLetters: 1, abandoned: 1 })
  const strict = await createBus({
    database: db.url,
    plugins: [kv()],
    retention: { deadLettersDays: 30, resolvedDeadLettersDays: 3 },
  })
  onTestFinished(() => strict.stop())
  expect(await strict.upkeep()).toMatchObject({ deadLetters: 2 })
  expect((await db.pool.query(LETTERS)).rows).toEqual([{ count: 1 }])
})

test('a process that dispatches does it by a pg-boss job', { timeout: 60_000 }, async () => {
  const { db, bus } = await setUp({ retention: { cron: '* * * * *' } })
  await db.pool.query(LETTER, [[100], [50]])
  await bus.start()
  await untilDatabaseSays(db.pool, LETTERS, 0)
  expect((await db.pool.query('select from outbus_boss.schedule where name = $1', ['outbus_upkeep'])).rowCount).toBe(1)
})

test('retention: false removes nothing; what makes no sense is refused', async () => {
  const { db, bus } = await setUp({ retention: false })
  await db.pool.query(LETTER, [[1_000], [1_000]])
  expect(await bus.upkeep()).toEqual({ deadLetters: 0, abandoned: 0, historyDays: 0, auditDays: 0 })
  expect((await db.pool.query(LETTERS)).rows).toEqual([{ count: 1 }])
  for (const retention of [{ historyDays: 0 }, { auditDays: 29 }, { days: 1 }, { cron: '0 0 * * * *' }, true])
    await expect(createBus({ database: db.url, retention: retention as never })).rejects.toMatchObject({
      code: 'options.invalid',
    })
})
