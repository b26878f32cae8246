/** Least privilege: each process under its own role does all its work, and Postgres refuses it the rest. */
import { createBus, grantRoles, withTransaction } from '@outbus/core'
import type { BusOptions } from '@outbus/core'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { prepareRoles, TEST_ROLES, urlAs } from '@outbus/test-kit'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pg from 'pg'
import pino from 'pino'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { runRoleStatements } from '../../core/src/roles/role-statements.ts'
import type { Instructions } from './ask-source.ts'
import { answer, asks } from './ask-source.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

type Login = Parameters<typeof urlAs>[1]

const log = pino({ level: 'silent' })

async function migrated() {
  const db = await useTestDatabase()
  await prepareRoles(db.adminUrl)
  const as = (login: Login) => urlAs(db.adminUrl, login)
  const migrator = as('outbus_migrator')
  const migrating = await createBus({ database: migrator, sources: [kv(), schedule()], migrate: true, log })
  await migrating.stop()
  await grantRoles(migrator, { roles: TEST_ROLES })
  return { db, as }
}

async function setUp() {
  const { db, as } = await migrated()
  /** What Postgres refused behind the bus's back: the bus goes on without it, and warns. */
  const denied: string[] = []
  const telling = pino(
    { level: 'debug' },
    { write: (line: string) => void (line.includes('permission denied') && denied.push(line)) },
  )
  const busAs = async (login: Login, options: Partial<BusOptions<[]>> = {}) => {
    const sources = [kv(), schedule(), asks]
    const bus = await createBus({ app: 'shop', log: telling, ...options, database: as(login), sources })
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
  const pool = new pg.Pool({ connectionString: as('outbus_emitting') })
  onTestFinished(() => pool.end())
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
  expect(denied).toEqual([])
})

const DENIED = '42501'

describe('Postgres refuses', () => {
  let url: (login: Login) => string
  beforeAll(async () => {
    const { db, as } = await migrated()
    await db.pool.query(`select outbus.add_attempts_partition('2026-01-01')`)
    url = as
  })

  test.for<[login: Login, what: string, statement: string]>([
    ['outbus_emitting', 'to delete dead letters', 'delete from outbus.dead_letters'],
    ['outbus_emitting', 'to rewrite a dead letter', `update outbus.dead_letters set event = '1'`],
    ['outbus_emitting', 'to write a dead letter', 'insert into outbus.dead_letters (app_id) values (null)'],
    ['outbus_emitting', 'to take a row out of the outbox', 'delete from outbus.outbox'],
    ['outbus_emitting', 'to lease a row', 'update outbus.outbox set lease_token = null'],
    ['outbus_emitting', 'to change when a row is due', 'update outbus.outbox set due_at = now()'],
    ['outbus_emitting', 'to choose the id of a row', 'insert into outbus.outbox (id) values (1)'],
    [
      'outbus_emitting',
      'to give itself a role',
      `insert into outbus.principals (app_id, id, roles) values ('a', 'u', '{admin}')`,
    ],
    ['outbus_emitting', 'to change a principal', 'update outbus.principals set disabled = false'],
    ['outbus_emitting', 'to remove a principal', 'delete from outbus.principals'],
    ['outbus_emitting', 'to look at notes', 'select from outbus.claim_notes'],
    ['outbus_emitting', 'to pass for a dispatcher', 'insert into outbus.dispatchers (id) values (gen_random_uuid())'],
    ['outbus_emitting', 'to cancel', 'insert into outbus.cancellations values (1, null, null)'],
    ['outbus_emitting', 'to write history', 'insert into outbus.attempts (app_id) values (null)'],
    ['outbus_emitting', 'to drop history', `select outbus.drop_attempts_partitions('2999-01-01')`],
    ['outbus_emitting', 'to answer a request', 'insert into outbus.replies (app_id) values (null)'],
    ['outbus_emitting', 'to look at pg-boss', 'select from outbus_boss.job'],
    ['outbus_dispatching', 'to create a trigger', 'insert into outbus.triggers (name) values (null)'],
    ['outbus_dispatching', 'to change a trigger', 'update outbus.triggers set enabled = true'],
    ['outbus_dispatching', 'to delete a trigger', 'delete from outbus.triggers'],
    ['outbus_dispatching', 'to bump an epoch', 'update outbus.trigger_epochs set epoch = 1'],
    ['outbus_dispatching', 'to pause', 'insert into outbus.pauses values (null, null)'],
    ['outbus_dispatching', 'to resume', 'delete from outbus.pauses'],
    ['outbus_dispatching', 'to write a principal', 'insert into outbus.principals (app_id, id) values (null, null)'],
    ['outbus_dispatching', 'to change a principal', 'update outbus.principals set disabled = false'],
    ['outbus_dispatching', 'to rewrite a dead letter', `update outbus.dead_letters set event = '1'`],
    ['outbus_dispatching', 'to lift a limit', 'update outbus.trigger_limits set concurrency = null'],
    ['outbus_dispatching', 'to rewrite history', 'delete from outbus.attempts'],
    ['outbus_reading', 'to emit', `insert into outbus.outbox (app_id) values (null)`],
    ['outbus_reading', 'to settle', 'delete from outbus.outbox'],
    ['outbus_reading', 'to lock a row', 'select from outbus.outbox for update'],
    ['outbus_reading', 'to write a plugin’s table', `delete from outbus.kv_entries`],
    ['outbus_reading', 'to draw an epoch', `select nextval('outbus.trigger_epoch_sequence')`],
    ['outbus_reading', 'to drop history', `select outbus.drop_attempts_partitions('2999-01-01')`],
    ...(['outbus_emitting', 'outbus_dispatching', 'outbus_reading'] as const).flatMap(
      (login): [Login, string, string][] => [
        [login, 'to create a table', 'create table outbus.mine (id integer)'],
        [login, 'to drop a table', 'drop table outbus.claim_notes'],
        [login, 'to change the ledger of migrations', 'delete from outbus.migration_checksums'],
        [login, 'to reach a day of history past its table', `select from outbus.attempts_20260101`],
        [login, 'to empty a table', 'truncate outbus.dispatchers'],
        [login, 'to make a trigger of Postgres', 'create trigger t after insert on outbus.outbox execute function f()'],
      ],
    ),
  ])('%s %s', async ([login, , statement]) => {
    const client = new pg.Client({ connectionString: url(login) })
    await client.connect()
    onTestFinished(() => client.end())
    await expect(client.query(statement)).rejects.toMatchObject({ code: DENIED })
  })
})

test('what a superuser migrated is handed over to the migrator, by several at once', async () => {
  const db = await useTestDatabase()
  await prepareRoles(db.adminUrl)
  const bus = await createBus({ database: db.adminUrl, sources: [kv(), schedule()], migrate: true, log })
  await bus.stop()
  await Promise.all([1, 2, 3].map(() => grantRoles(db.adminUrl, { roles: TEST_ROLES })))
  const { rows } = await db.pool.query(
    `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('outbus', 'outbus_boss') and c.relowner <> '${TEST_ROLES.migrator}'::regrole`,
  )
  expect(rows).toEqual([])
  await grantRoles(urlAs(db.adminUrl, 'outbus_migrator'), { roles: TEST_ROLES })
})

test('a table of core that no file of roles names would be given away as a plugin’s', async () => {
  const db = await useTestDatabase()
  await prepareRoles(db.adminUrl)
  const bus = await createBus({ database: db.adminUrl, migrate: true, log })
  await bus.stop()
  const role = TEST_ROLES.reader
  await withTransaction(db.pool, (tx) => runRoleStatements(tx, 'plugins', { schema: 'outbus', role }))
  const { rows } = await db.pool.query(
    `select c.relname, a.privilege_type from pg_class c cross join lateral aclexplode(c.relacl) a where a.grantee = '${role}'::regrole`,
  )
  expect(rows).toEqual([])
})

test('a table that came since is nobody’s until the rights are granted anew', async () => {
  const { db, as } = await migrated()
  const emitting = new pg.Client({ connectionString: as('outbus_emitting') })
  await emitting.connect()
  onTestFinished(() => emitting.end())
  const adding = new pg.Client({ connectionString: as('outbus_migrator') })
  await adding.connect()
  await adding.query('create table outbus.things (id serial primary key, app_id text not null)')
  await adding.end()
  await expect(emitting.query(`insert into outbus.things (app_id) values ('a')`)).rejects.toMatchObject({
    code: DENIED,
  })
  await grantRoles(as('outbus_migrator'), { roles: TEST_ROLES })
  await emitting.query(`insert into outbus.things (app_id) values ('a')`)
  expect((await db.pool.query('select app_id from outbus.things')).rows).toEqual([{ app_id: 'a' }])
})

test.for<[what: string, roles: object, error: object]>([
  ['a name that would be SQL', { reader: 'r"; drop schema outbus; --' }, { path: 'roles.reader' }],
  ['everybody', { emitter: 'public' }, { path: 'roles.emitter' }],
  ['one of Postgres’s own', { reader: 'pg_read_all_data' }, { path: 'roles.reader' }],
  ['a task that there is not', { reeder: 'a' }, { path: 'roles.reeder', hint: 'did you mean "reader"?' }],
])('%s is refused as a role', async ([, roles, error]) => {
  await expect(grantRoles('postgres://nowhere', { roles })).rejects.toMatchObject({
    code: 'options.invalid',
    ...error,
  })
})

test('a schema that was not migrated, and a role that is not there, are said', async () => {
  const db = await useTestDatabase()
  await expect(grantRoles(db.adminUrl, { roles: { reader: 'nobody_at_all' } })).rejects.toMatchObject({
    code: 'schema.missing',
  })
  const bus = await createBus({ database: db.adminUrl, migrate: true, log })
  await bus.stop()
  await expect(grantRoles(db.adminUrl, { roles: { reader: 'nobody_at_all' } })).rejects.toThrow(
    'role "nobody_at_all" does not exist',
  )
})
