/** By the name of a partition, which the policies of its table do not reach, nobody reads or writes rows of another app (issue 18, item 11). */
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
  const bus = await createBus({ database: migrator, plugins: [kv(), docs(), schedule()], migrate: true, log })
  await bus.stop({ graceMs: 0 })
  return { db, migrator, client: (login: Parameters<typeof urlAs>[1]) => useTestClient(urlAs(db.adminUrl, login)) }
}

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
        `alter default privileges for role ${TEST_ROLES.migrator} grant select on tables to ${TEST_ROLES.reader}`,
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
