/** Least privilege: each process under its own role does all its work. What it is refused: grant-roles.test.ts. */
import { createBus, withTransaction } from '@outbus/core'
import type { BusOptions } from '@outbus/core'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { TEST_ROLES } from '@outbus/test-kit'
import { useTestPool } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import type { Instructions } from './ask-source.ts'
import { answer, asks } from './ask-source.ts'
import { migratedWithRoles } from './migrated-with-roles.ts'
import type { Login } from './migrated-with-roles.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

async function setUp() {
  const { db, as } = await migratedWithRoles()
  /** What Postgres refused behind the bus's back: the bus goes on without it, and warns. */
  const denied: string[] = []
  const telling = pino(
    { level: 'debug' },
    { write: (line: string) => void (line.includes('permission denied') && denied.push(line)) },
  )
  const busAs = async (login: Login, options: Partial<BusOptions<[]>> = {}) => {
    const plugins = [kv(), schedule(), asks]
    const bus = await createBus({ app: 'shop', log: telling, ...options, database: as(login), plugins })
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    return bus
  }
  return { db, as, busAs, denied, outcomes: watchOutcomes('shop') }
}

const RETRY = { maxAttempts: 2, strategy: 'constant', baseDelayMs: 1, jitter: 'none' } as const
const on = (collection: string, more: object = {}) => ({
  name: collection,
  source: 'kv' as const,
  filter: { collection },
  target: { type: 'function' as const, name: 'work' },
  retry: RETRY,
  ...more,
})

test('an emitting and a dispatching process, each with its own rights, do all that a bus does', async () => {
  const { db, as, busAs, denied, outcomes } = await setUp()
  const emitting = await busAs('outbus_emitting')
  const dispatching = await busAs('outbus_dispatching', { history: 'all' })
  await db.pool.query(`insert into outbus.principals (app_id, id, roles) values ('shop', 'u_1', '{admin}')`)
  const cx = emitting.context({ principal: { id: 'u_1' } })
  for (const trigger of [
    on('jobs'),
    on('ordered', { ordered: true }),
    on('transactional', { transactional: true }),
    on('limited', { concurrency: 1 }),
  ])
    await cx.triggers.create(trigger)
  await cx.triggers.create({
    name: 'answering',
    source: 'asks',
    filter: { topic: 'answers' },
    target: { type: 'function', name: 'answer' },
  })
  await cx.triggers.create({
    name: 'bury',
    source: 'dead_letter',
    filter: { trigger: 'jobs' },
    target: { type: 'function', name: 'bury' },
  })
  await db.pool.query(`create table ledger (key text); grant insert on ledger to ${TEST_ROLES.dispatcher}`)
  const buried: string[] = []
  dispatching.handle<Instructions>('answer', answer)
  dispatching.handle<{ event: { key: string } }>('bury', ({ event }) => void buried.push(event.event.key))
  dispatching.handle<{ collection: string; key: string }>('work', async (args) => {
    const { event } = args
    if (event.collection === 'transactional') await args.tx.query('insert into ledger values ($1)', [event.key])
    if (event.key === 'dies') throw new Error('hopeless')
  })
  await dispatching.start()

  // Emits: shared, many, in the caller's transaction, with a dedupe key; and the verbs beside them.
  await Promise.all(Array.from({ length: 20 }, (_, i) => cx.kv.set('jobs', `k${i}`, i)))
  await cx.kv.setMany(['a', 'b'].map((key) => ({ collection: 'ordered', key, value: 1 })))
  const pool = useTestPool(as('outbus_emitting'))
  await withTransaction(pool, (tx) => cx.with(tx).kv.set('transactional', 't', 1))
  await expect(
    withTransaction(pool, async (tx) => {
      await cx.with(tx).kv.set('jobs', 'never', 1)
      throw new Error('rolled back')
    }),
  ).rejects.toThrow('rolled back')
  await cx.kv.set('limited', 'l', 1)
  await cx.kv.set('jobs', 'once', 1, { dedupeKey: 'once' })
  expect(await cx.kv.set('jobs', 'once', 1, { dedupeKey: 'once' })).toMatchObject({ duplicate: true })
  await cx.kv.set('jobs', 'dies', 1)
  await cx.kv.delete('jobs', 'k0')
  expect(await cx.kv.list('jobs')).toMatchObject({ items: expect.any(Array) as unknown })
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  await outcomes.until((seen) => seen.some(({ outcome }) => outcome.kind === 'handled'))
  expect(buried).toEqual(['dies'])

  // Requests, answered and left.
  const request = (carried: object, options = {}) =>
    cx.request('asks', { op: 'ask', topic: 'answers', ...carried }, options)
  expect(await request({ value: 7 })).toMatchObject({ ok: true, value: 7 })
  expect(await request({ ms: 200 }, { timeoutMs: 20 })).toMatchObject({ ok: false, failure: 'timeout' })
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.abandoned_executions', 1)
  expect((await cx.requests.abandoned()).items).toHaveLength(1)

  // Dead letters, pauses, history, triggers that change.
  const { items } = await cx.deadLetters.list({ resolution: 'handled' })
  await cx.deadLetters.replay(items[0]?.id as string, { force: true })
  await untilDatabaseSays(db.pool, `select count(*)::integer from outbus.dead_letters where resolution = 'handled'`, 1)
  await cx.deadLetters.discardAll({ all: true })
  const [jobs] = (await cx.triggers.list()).items.filter(({ name }) => name === 'jobs')
  await cx.triggers.pause(jobs?.id as string)
  await cx.kv.set('jobs', 'paused', 1)
  await untilDatabaseSays(db.pool, 'select exists (select from outbus.outbox where paused)', true)
  await cx.triggers.resume(jobs?.id as string)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  await untilDatabaseSays(db.pool, `select exists (select from outbus.attempts where outcome = 'done')`, true)
  expect((await cx.history.list()).items.length).toBeGreaterThan(20)
  await cx.triggers.update(jobs?.id as string, { timeoutMs: 1_000, concurrency: 2 })
  await cx.triggers.delete(jobs?.id as string)

  // Time: schedules and upkeep, with pg-boss installed by grantRoles.
  await cx.schedule.set('nightly', { recurrence: '0 3 * * *' })
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus_boss.schedule where key <> $$$$', 1)
  await db.pool.query(
    `update outbus.dead_letters set died_at = now() - interval '90 days', resolved_at = now() - interval '90 days';
    update outbus.abandoned_executions set abandoned_at = now() - interval '90 days';
    select outbus.add_attempts_partition(current_date - 90)`,
  )
  expect(await dispatching.upkeep()).toMatchObject({ deadLetters: 2, abandoned: 1, historyDays: 1 })
  await untilDatabaseSays(db.pool, `select exists (select from outbus_boss.queue where name = 'outbus_upkeep')`, true)

  // A last word, too, is only of whoever has one to say.
  await emitting.stop()
  await dispatching.stop()
  expect(denied).toEqual([])
})

test('a service that dispatches and emits is a member of both roles', async () => {
  const { db, busAs, outcomes, denied } = await setUp()
  const bus = await busAs('outbus_service')
  await bus.on('work', 'kv', { collection: 'jobs' }, ({ event, cx }) => cx.kv.set('done', event.key, 1).then(() => {}))
  await bus.start()
  await bus.kv.set('jobs', 'a', 1)
  await outcomes.until((seen) => seen.length === 1)
  expect(await bus.kv.get('done', 'a')).toMatchObject({ value: 1 })
  await bus.kv.set('jobs', 'b', 1, { delayMs: 60_000 })
  const { rows } = await db.pool.query<{ id: string }>('select id from outbus.outbox')
  expect(await bus.context().deliveries.cancel(rows[0]?.id as string)).toBeTruthy()
  await bus.stop()
  expect(denied).toEqual([])
})
