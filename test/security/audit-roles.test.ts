/** Of the audit nobody but the owner deletes or changes anything, and under row security nobody sees another app's (G15, G27). */
import { createBus, disableRowSecurity, enableRowSecurity, grantRoles } from '@outbus/core'
import { kv } from '@outbus/kv'
import { TEST_ROLES } from '@outbus/test-kit'
import { useTestClient } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { migratedWithRoles } from '../integration/migrated-with-roles.ts'

const log = pino({ level: 'silent' })
const DENIED = { code: '42501' }

async function setUp() {
  const { db, as } = await migratedWithRoles()
  const emitting = await createBus({ database: as('outbus_emitting'), plugins: [kv()], app: 'shop', log })
  onTestFinished(() => emitting.stop({ graceMs: 0 }))
  return { db, as, emitting }
}

test.for(['outbus_emitting', 'outbus_dispatching', 'outbus_reading'] as const)(
  '%s neither deletes nor changes a row of the audit, nor the time and login that it has',
  async (login) => {
    const { db, as, emitting } = await setUp()
    await emitting.context().triggers.pauseAll()
    const { rows } = await db.pool.query<{ day: string }>(
      `select tableoid::regclass::text as day from outbus.audit where app_id = 'shop'`,
    )
    const day = rows[0]?.day ?? ''
    expect(day).toMatch(/audit_\d{8}$/)
    const client = await useTestClient(as(login))
    for (const statement of [
      'delete from outbus.audit',
      `update outbus.audit set principal = 'somebody else'`,
      'truncate outbus.audit',
      'select from outbus.audit for update',
      `delete from ${day}`,
      `select from ${day}`,
      `insert into ${day} (app_id, action, operation) values ('shop', 'x', 'x')`,
      'select from outbus.audit_other_days',
      'drop table outbus.audit',
      `insert into outbus.audit (app_id, action, operation, at) values ('shop', 'x', 'x', now() - interval '1 year')`,
      `insert into outbus.audit (app_id, action, operation, login) values ('shop', 'x', 'x', 'postgres')`,
      `insert into outbus.audit (app_id, action, operation, id) values ('shop', 'x', 'x', 1)`,
      `select setval('outbus.audit_sequence', 1)`,
    ])
      await expect(client.query(statement)).rejects.toMatchObject(DENIED)
    expect((await db.pool.query(`select login, operation from outbus.audit where app_id = 'shop'`)).rows).toEqual([
      { login: 'outbus_emitting', operation: 'triggers.pauseAll' },
    ])
  },
)

test('an emitter drops no day of the audit and makes none; a dispatcher none of the last thirty', async () => {
  const { db, as } = await setUp()
  const emitting = await useTestClient(as('outbus_emitting'))
  for (const call of [`drop_days('audit', '2999-01-01')`, `add_day('audit', '2999-01-01')`])
    await expect(emitting.query(`select outbus.${call}`)).rejects.toMatchObject(DENIED)
  const dispatching = await createBus({ database: as('outbus_dispatching'), plugins: [kv()], app: 'shop', log })
  onTestFinished(() => dispatching.stop({ graceMs: 0 }))
  expect(await dispatching.upkeep()).toMatchObject({ auditDays: 0 })
  const client = await useTestClient(as('outbus_dispatching'))
  await expect(client.query(`select outbus.drop_days('outbox', '2999-01-01')`)).rejects.toThrow('is not kept by day')
  await emitting.query(`insert into outbus.audit (app_id, action, operation) values ('shop', 'x', 'x')`)
  // However far it says: of the last thirty days nothing goes.
  await client.query(`select outbus.drop_days('audit', '2999-01-01')`)
  expect((await db.pool.query(`select from outbus.audit where app_id = 'shop'`)).rowCount).toBe(1)
})

test('under row security a login reads and writes the audit of its own apps, its days past their table not at all', async () => {
  const { db, as, emitting } = await setUp()
  await enableRowSecurity(as('outbus_migrator'), { allApps: [TEST_ROLES.dispatcher] })
  await db.pool.query(`insert into outbus.role_apps values ('outbus_emitting', 'shop'), ('outbus_reading', 'shop')`)
  const migrating = await createBus({ database: as('outbus_migrator'), plugins: [kv()], log })
  onTestFinished(() => migrating.stop({ graceMs: 0 }))
  await migrating.context({ app: 'other' }).triggers.pauseAll()
  await emitting.context().triggers.pauseAll()
  for (const login of ['outbus_emitting', 'outbus_reading'] as const) {
    const client = await useTestClient(as(login))
    expect((await client.query('select distinct app_id from outbus.audit')).rows).toEqual([{ app_id: 'shop' }])
  }
  const client = await useTestClient(as('outbus_emitting'))
  await expect(
    client.query(`insert into outbus.audit (app_id, action, operation) values ('other', 'x', 'x')`),
  ).rejects.toMatchObject(DENIED)
  // New days, and rights that are granted anew when they are there.
  await db.pool.query(`select outbus.add_day('audit', current_date + 5), outbus.add_day('attempts', current_date)`)
  await grantRoles(as('outbus_migrator'), { roles: TEST_ROLES })
  const reading = await useTestClient(as('outbus_reading'))
  const { rows } = await db.pool.query<{ day: string }>(
    `select c.oid::regclass::text as day from pg_class c where relnamespace = 'outbus'::regnamespace and relispartition and relkind = 'r'`,
  )
  expect(rows.length).toBeGreaterThan(4)
  for (const { day } of rows) await expect(reading.query(`select from ${day}`)).rejects.toMatchObject(DENIED)
})

test('rights that are granted, and row security, leave a row of no app', async () => {
  const { db, as } = await migratedWithRoles()
  await enableRowSecurity(as('outbus_migrator'), { allApps: [TEST_ROLES.dispatcher] })
  await disableRowSecurity(as('outbus_migrator'))
  const { rows } = await db.pool.query('select app_id, action, operation, after, login from outbus.audit order by id')
  expect(rows).toMatchObject([
    { app_id: '', action: 'role.grant', operation: 'grantRoles', after: TEST_ROLES, login: 'outbus_migrator' },
    { action: 'role.row_security', operation: 'enableRowSecurity', after: { allApps: [TEST_ROLES.dispatcher] } },
    { action: 'role.row_security', operation: 'disableRowSecurity' },
  ])
})

test('which role may act for which app leaves a row of that app, however it is changed', async () => {
  const { db, as } = await migratedWithRoles()
  await enableRowSecurity(as('outbus_migrator'), { allApps: [TEST_ROLES.dispatcher] })
  const migrating = await useTestClient(as('outbus_migrator'))
  for (const statement of [
    `insert into outbus.role_apps values ('outbus_emitting', 'shop'), ('outbus_reading', 'bank')`,
    `update outbus.role_apps set app_id = 'bank' where app_id = 'shop'`,
    'begin',
    `delete from outbus.role_apps`,
    'rollback',
    `delete from outbus.role_apps where role = 'outbus_emitting'::regrole`,
    'truncate outbus.role_apps',
  ])
    await migrating.query(statement)
  const { rows } = await db.pool.query(
    `select app_id, operation, resource, before, after, login from outbus.audit where action = 'role.bind' order by id`,
  )
  const row = (app_id: string, operation: string, resource: string, before: unknown, after: unknown) => ({
    app_id,
    operation,
    resource,
    before,
    after,
    login: 'outbus_migrator',
  })
  const BOUND = { bound: true }
  expect(rows).toEqual([
    row('shop', 'role_apps.insert', 'outbus_emitting', null, BOUND),
    row('bank', 'role_apps.insert', 'outbus_reading', null, BOUND),
    row('shop', 'role_apps.update', 'outbus_emitting', BOUND, null),
    row('bank', 'role_apps.update', 'outbus_emitting', null, BOUND),
    row('bank', 'role_apps.delete', 'outbus_emitting', BOUND, null),
    row('bank', 'role_apps.truncate', 'outbus_reading', BOUND, null),
  ])
})
