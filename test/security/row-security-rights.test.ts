/**
 * What each role may do with each relation and function of the schema, by name (issue 18, item 11). A relation that nobody
 * decided on fails the first test. The others name partitions, which the policies of their table do not reach.
 */
import { createBus, enableRowSecurity, grantRoles } from '@outbus/core'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { prepareRoles, TEST_ROLES, urlAs } from '@outbus/test-kit'
import { useTestClient, useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, test } from 'vitest'

async function setUp() {
  const db = await useTestDatabase()
  await prepareRoles(db.adminUrl)
  const migrator = urlAs(db.adminUrl, 'outbus_migrator')
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: migrator, sources: [kv(), docs(), schedule()], migrate: true, log })
  await bus.stop({ graceMs: 0 })
  return { db, migrator, client: (login: Parameters<typeof urlAs>[1]) => useTestClient(urlAs(db.adminUrl, login)) }
}

/** Relation, then emitter, dispatcher, reader: read, append, write, delete, -: nothing. A new relation is decided on here. */
const DECIDED = [
  'abandoned_executions ra rawd r',
  'app_quotas r r r',
  'attempts r ra r',
  'attempts_20300101 - - -',
  'audit ra ra r',
  'audit_<day> - - -',
  'audit_other_days - - -',
  'cancellations - rad r',
  'claim_notes - rawd r',
  'dead_letters rw rawd r',
  'dedupe_keys rawd rawd r',
  'dispatchers r rawd r',
  'docs_documents rawd rawd r',
  'kv_entries rawd rawd r',
  'migration_checksums r r r',
  'migrations_core - - r',
  'migrations_docs - - r',
  'migrations_kv - - r',
  'migrations_schedule - - r',
  'ordering_locks raw rwd r',
  'outbox raw rawd r',
  'pauses rawd rw r',
  'principals ra r r',
  'replies rwd rawd r',
  'role_apps r r r',
  'root_rows ra rad r',
  'schedule_apps rawd rawd r',
  'schedules rawd rawd r',
  'set_aside r rawd r',
  'trigger_changes ra rd r',
  'trigger_epochs raw r r',
  'trigger_limits raw rwd r',
  'trigger_starts - rad r',
  'triggers rawd r r',
  'withdrawals ra rawd r',
]

const RIGHTS = `select c.relname as name, r.role, string_agg(p.short, '' order by p.n) as rights
from pg_class c
cross join unnest($1::text[]) as r (role)
cross join (values (1, 'r', 'select'), (2, 'a', 'insert'), (3, 'w', 'update'), (4, 'd', 'delete'), (5, 'D', 'truncate'),
  (6, 'x', 'references'), (7, 't', 'trigger')) as p (n, short, privilege)
where c.relnamespace = 'outbus'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and case when p.privilege in ('delete', 'truncate', 'trigger') then has_table_privilege(r.role, c.oid, p.privilege)
    else has_any_column_privilege(r.role, c.oid, p.privilege) end
group by 1, 2`

test('a relation that nobody decided on is nobody’s, and each role has the rights that are written here', async () => {
  const { db, migrator } = await setUp()
  await db.pool.query(`select outbus.add_attempts_partition('2030-01-01')`)
  await grantRoles(migrator, { roles: TEST_ROLES })
  await enableRowSecurity(migrator, { allApps: [TEST_ROLES.dispatcher] })
  const roles = [TEST_ROLES.emitter, TEST_ROLES.dispatcher, TEST_ROLES.reader]
  const { rows } = await db.pool.query<{ name: string; role: string; rights: string }>(RIGHTS, [roles])
  const { rows: all } = await db.pool.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'outbus'::regnamespace
    and relkind in ('r', 'p', 'v', 'm', 'f') order by 1`,
  )
  const found = all.map(({ name }) =>
    [
      name.replace(/^audit_\d{8}$/, 'audit_<day>'),
      ...roles.map((role) => rows.find((row) => row.name === name && row.role === role)?.rights ?? '-'),
    ].join(' '),
  )
  expect([...new Set(found)]).toEqual(DECIDED)
})

test('no table with an app is without policies, and no partition is without row security', async () => {
  const { db, migrator } = await setUp()
  await grantRoles(migrator, { roles: TEST_ROLES })
  await enableRowSecurity(migrator, { allApps: [TEST_ROLES.dispatcher] })
  await db.pool.query(`select outbus.add_attempts_partition('2030-01-01')`)
  const { rows } = await db.pool.query(
    `select c.relname from pg_class c where c.relnamespace = 'outbus'::regnamespace and c.relkind in ('r', 'p')
    and not c.relrowsecurity and (c.relispartition
      or exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'app_id' and not a.attisdropped))`,
  )
  expect(rows).toEqual([])
})

test('nobody but the roles that need it executes a function with its owner’s rights', async () => {
  const { db, migrator } = await setUp()
  await grantRoles(migrator, { roles: TEST_ROLES })
  const { rows } = await db.pool.query(
    `select p.proname as name, array(select r.role from unnest($1::text[]) as r (role)
      where has_function_privilege(r.role, p.oid, 'execute')) as roles
    from pg_proc p where p.pronamespace = 'outbus'::regnamespace and p.prosecdef order by 1`,
    [[TEST_ROLES.emitter, TEST_ROLES.dispatcher, TEST_ROLES.reader]],
  )
  expect(rows).toEqual([
    { name: 'add_attempts_partition', roles: [TEST_ROLES.dispatcher] },
    { name: 'add_day', roles: [TEST_ROLES.dispatcher] },
    { name: 'drop_attempts_partitions', roles: [TEST_ROLES.dispatcher] },
    { name: 'drop_days', roles: [TEST_ROLES.dispatcher] },
  ])
})

const PARTITIONS = `select c.relname as name from pg_class c
where c.relnamespace = 'outbus'::regnamespace and c.relispartition and c.relkind = 'r'
  and c.relname like 'attempts%'`

test.for(['made before', 'made after', 'given to the reader by default privileges', 'given by name before'] as const)(
  'a reader of one app does not read the attempts of another by the name of a partition that is %s',
  async (how) => {
    const { db, migrator, client } = await setUp()
    const day = `select outbus.add_attempts_partition((now() at time zone 'UTC')::date)`
    if (how === 'given to the reader by default privileges')
      await db.pool.query(
        `alter default privileges for role ${TEST_ROLES.migrator} in schema outbus grant select on tables to ${TEST_ROLES.reader}`,
      )
    if (how === 'made before' || how === 'given by name before') await db.pool.query(day)
    if (how === 'given by name before')
      for (const { name } of (await db.pool.query<{ name: string }>(PARTITIONS)).rows)
        await db.pool.query(`alter table outbus.${name} disable row level security;
          grant select on outbus.${name} to ${TEST_ROLES.reader}`)
    await grantRoles(migrator, { roles: TEST_ROLES })
    await enableRowSecurity(migrator, { allApps: [TEST_ROLES.dispatcher] })
    await db.pool.query(`insert into outbus.role_apps values ('outbus_reading', 'shop')`)
    if (how === 'made after' || how === 'given to the reader by default privileges')
      await (await client('outbus_dispatching')).query(day)
    await db.pool.query(`insert into outbus.attempts
      (app_id, delivery_id, event_id, trigger_id, trigger_name, source, attempt, ended_at, outcome)
      select app, 1, gen_random_uuid(), gen_random_uuid(), 't', 'kv', 1, now(), 'done' from unnest(array['shop', 'bank']) as app`)
    const reading = await client('outbus_reading')
    const { rows: partitions } = await db.pool.query<{ name: string }>(PARTITIONS)
    expect(partitions).toHaveLength(1)
    for (const { name } of partitions) {
      // Refused, or empty: what is given by default privileges is a right on a table without policies.
      const seen = await reading.query(`select from outbus.${name}`).then(
        ({ rowCount }) => rowCount,
        (error: { code: string }) => error.code,
      )
      expect(seen).toBe(how === 'given to the reader by default privileges' ? 0 : '42501')
    }
    // Through the table: what is its own.
    expect((await reading.query('select app_id from outbus.attempts')).rows).toEqual([{ app_id: 'shop' }])
    expect((await (await client('outbus_dispatching')).query('select from outbus.attempts')).rowCount).toBe(2)
  },
)
