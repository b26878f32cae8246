/** What Postgres refuses each role, and how rights are granted: again, late, to whom, and to nobody. */
import { createBus, grantRoles, withTransaction } from '@outbus/core'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { prepareRoles, TEST_ROLES, urlAs } from '@outbus/test-kit'
import { useTestClient, useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { beforeAll, describe, expect, test } from 'vitest'
import { runRoleStatements } from '../../core/src/roles/role-statements.ts'
import { migratedWithRoles } from './migrated-with-roles.ts'
import type { Login } from './migrated-with-roles.ts'

const log = pino({ level: 'silent' })
const DENIED = '42501'

describe('Postgres refuses', () => {
  let url: (login: Login) => string
  beforeAll(async () => {
    const { db, as } = await migratedWithRoles()
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
    const client = await useTestClient(url(login))
    await expect(client.query(statement)).rejects.toMatchObject({ code: DENIED })
  })
})

test('what a superuser migrated is handed over to the migrator, by several at once', async () => {
  const db = await useTestDatabase()
  await prepareRoles(db.adminUrl)
  const bus = await createBus({ database: db.adminUrl, plugins: [kv(), schedule()], migrate: true, log })
  await bus.stop()
  await Promise.all([1, 2, 3].map(() => grantRoles(db.adminUrl, { roles: TEST_ROLES })))
  const { rows } = await db.pool.query(
    `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('outbus', 'outbus_boss') and c.relowner <> '${TEST_ROLES.migrator}'::regrole`,
  )
  expect(rows).toEqual([])
  const migrator = urlAs(db.adminUrl, 'outbus_migrator')
  await grantRoles(migrator, { roles: TEST_ROLES })
  // Otherwise the owner would lose what is withdrawn before it is granted.
  await expect(grantRoles(migrator, { roles: { emitter: TEST_ROLES.migrator } })).rejects.toMatchObject({
    code: 'options.invalid',
    received: TEST_ROLES.migrator,
  })
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
  const { db, as } = await migratedWithRoles()
  const emitting = await useTestClient(as('outbus_emitting'))
  const adding = await useTestClient(as('outbus_migrator'))
  await adding.query('create table outbus.things (id serial primary key, app_id text not null)')
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
