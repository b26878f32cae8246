/** Row-level security by app: what one app's role cannot do to another app, through the bus or past it (G15). */
import { createBus, disableRowSecurity, enableRowSecurity, grantRoles, withTransaction } from '@outbus/core'
import { kv } from '@outbus/kv'
import { prepareRoles, TEST_ROLES, urlAs } from '@outbus/test-kit'
import { useTestClient, useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { beginText } from '../../core/src/postgres/session.ts'
import { claimSettings } from '../../core/src/sql/claim/begin-claim.ts'
import { claimBatch } from '../../core/src/sql/claim/claim-batch.ts'
import { withdrawDeliveries } from '../../core/src/sql/deliveries/withdraw-deliveries.ts'
import { findRequest } from '../../core/src/sql/requests/find-request.ts'
import { getDelivery } from '../../core/src/sql/deliveries/get-delivery.ts'
import { leaveRequests } from '../../core/src/sql/requests/leave-requests.ts'
import { takeReplies } from '../../core/src/sql/requests/take-replies.ts'
import type { Instructions } from './ask-source.ts'
import { answer, asks } from './ask-source.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from './workers/outcomes.ts'

const log = pino({ level: 'silent' })
const ALL_APPS = { allApps: [TEST_ROLES.dispatcher, TEST_ROLES.reader] }

/** `outbus_emitting` is bound to the app `shop`; what is of `bank` comes from the migrator, who is bound to nothing. */
async function setUp() {
  const db = await useTestDatabase()
  await prepareRoles(db.adminUrl)
  const migrator = urlAs(db.adminUrl, 'outbus_migrator')
  const plugins = [kv(), asks]
  const migrating = await createBus({ database: migrator, plugins, migrate: true, log })
  onTestFinished(() => migrating.stop({ graceMs: 0 }))
  await grantRoles(migrator, { roles: TEST_ROLES })
  await enableRowSecurity(migrator, ALL_APPS)
  await db.pool.query(`insert into outbus.role_apps values ('outbus_emitting', 'shop')`)
  const emitting = await createBus({ database: urlAs(db.adminUrl, 'outbus_emitting'), plugins, log })
  onTestFinished(() => emitting.stop({ graceMs: 0 }))
  const dispatching = await createBus({
    database: urlAs(db.adminUrl, 'outbus_dispatching'),
    plugins,
    history: 'all',
    log,
  })
  onTestFinished(() => dispatching.stop({ graceMs: 0 }))
  dispatching.handle<{ key: string }>('work', ({ event }) => {
    if (event.key === 'dies') throw new Error('hopeless')
  })
  dispatching.handle<Instructions>('answer', answer)
  const shop = emitting.context({ app: 'shop', principal: { id: 'u_1' } })
  const bank = migrating.context({ app: 'bank', principal: { id: 'u_2' } })
  await migrating.context({ app: 'shop' }).principals.put('u_1', { roles: ['admin'] })
  await migrating.context({ app: 'bank' }).principals.put('u_2', { roles: ['admin'] })
  for (const cx of [shop, bank]) {
    await cx.triggers.create({
      name: 'work',
      source: 'kv',
      filter: { collection: 'jobs' },
      target: { type: 'function', name: 'work' },
      retry: { maxAttempts: 1 },
      ...(cx === bank ? { concurrency: 5, rateLimit: 1_000 } : {}),
    })
    await cx.triggers.create({
      name: 'answering',
      source: 'asks',
      filter: { topic: 'answers' },
      target: { type: 'function', name: 'answer' },
    })
  }
  const client = (login: Parameters<typeof urlAs>[1]) => useTestClient(urlAs(db.adminUrl, login))
  return { db, migrator, emitting, dispatching, shop, bank, client }
}

type App = Awaited<ReturnType<typeof setUp>>['bank']

function createOrdered(cx: App) {
  return cx.triggers.create({
    name: 'in order',
    source: 'kv',
    filter: { collection: 'lines' },
    target: { type: 'function', name: 'work' },
    ordered: true,
  })
}

/** Something of `bank` in every table that has an app. */
async function fill({ db, bank, dispatching }: Awaited<ReturnType<typeof setUp>>) {
  await bank.kv.set('jobs', 'dies', 1, { dedupeKey: 'd' })
  await createOrdered(bank)
  await bank.kv.set('lines', 'l', 1)
  await dispatching.start()
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.dead_letters', 1)
  const request = await bank.submit('asks', { op: 'ask', topic: 'answers', value: 'secret' })
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.replies', 1)
  await bank.request('asks', { op: 'ask', topic: 'answers', ms: 100 }, { timeoutMs: 10 })
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.abandoned_executions', 1)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  await untilDatabaseSays(db.pool, 'select count(*) > 2 from outbus.attempts', true)
  await dispatching.stop()
  await bank.kv.set('jobs', 'waiting', 1)
  const trigger = (await bank.triggers.list()).items.find(({ name }) => name === 'work')
  await bank.triggers.pause(trigger?.id as string)
  await db.pool.query(`insert into outbus.cancellations (delivery_id, app_id, reason) values (1, 'bank', 'no');
    insert into outbus.withdrawals (app_id, delivery_id, outcome, dead_letter, reason) values ('bank', 1, 'dead', true, 'no');
    insert into outbus.set_aside (app_id, kind, row_id, reason) values ('bank', 'dead_letter', '1', 'no');
    insert into outbus.app_quotas (app_id, triggers) values ('bank', 100);
    insert into outbus.root_rows (app_id, root_id, rows) values ('bank', gen_random_uuid(), 1)`)
  const { rows } = await db.pool.query<{ id: string }>('select id from outbus.outbox')
  const { items } = await bank.deadLetters.list()
  return {
    requestId: request?.requestId as string,
    deliveryId: rows[0]?.id as string,
    triggerId: trigger?.id as string,
    deadLetterId: items[0]?.id as string,
  }
}

const WITH_APP = `select c.relname from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attname = 'app_id'
where c.relnamespace = 'outbus'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by 1`

test('a role that is bound to an app sees no row of another one, in any table, and changes none', async () => {
  const all = await setUp()
  await fill(all)
  const { db, client } = all
  const emitting = await client('outbus_emitting')
  const { rows: tables } = await db.pool.query<{ relname: string }>(WITH_APP)
  expect(tables.length).toBeGreaterThan(12)
  for (const { relname } of tables.filter((table) => table.relname !== 'role_apps')) {
    const count = `select count(*)::integer as n from outbus.${relname} where app_id = 'bank'`
    const { rows } = await db.pool.query<{ n: number }>(count)
    expect([relname, rows[0]?.n]).toEqual([relname, expect.toSatisfy((n: number) => n > 0)])
    // Even where it may read everything that row-level security leaves.
    await db.pool.query(`grant select, update, delete on outbus.${relname} to outbus_emitting`)
    expect([relname, (await emitting.query(count)).rows]).toEqual([relname, [{ n: 0 }]])
    expect((await emitting.query(`update outbus.${relname} set app_id = 'shop' where app_id = 'bank'`)).rowCount).toBe(
      0,
    )
    expect((await emitting.query(`delete from outbus.${relname} where app_id <> 'shop'`)).rowCount).toBe(0)
    // And gives nothing away: the bank's row as if it were its own.
    await db.pool.query(
      `delete from outbus.${relname} where app_id = 'shop'; update outbus.${relname} set app_id = 'shop'`,
    )
    await expect(emitting.query(`update outbus.${relname} set app_id = 'bank'`)).rejects.toThrow(
      `new row violates row-level security policy for table "${relname}"`,
    )
  }
  expect((await emitting.query('select from outbus.role_apps')).rowCount).toBe(1)
  await expect(emitting.query(`insert into outbus.role_apps values ('outbus_emitting', 'bank')`)).rejects.toMatchObject(
    {
      code: '42501',
    },
  )
})

test('an emitter writes in order for its own app, and holds no line of another one', async () => {
  const { db, shop, bank, client } = await setUp()
  await createOrdered(shop)
  const { id } = await createOrdered(bank)
  for (const cx of [shop, bank, shop, bank]) await cx.kv.set('lines', 'l', 1)
  const emitting = await client('outbus_emitting')
  await emitting.query('begin')
  expect((await emitting.query('select app_id from outbus.ordering_locks for update')).rows).toEqual([
    { app_id: 'shop' },
  ])
  // Nor with the bank's trigger in its own name, and the hash of the bank's key.
  await emitting.query(
    `insert into outbus.ordering_locks (app_id, trigger_id, key_hash)
    select 'shop', $1, hashtextextended('lines' || chr(31) || 'l', 0)`,
    [id],
  )
  await bank.kv.set('lines', 'l', 2)
  await emitting.query('rollback')
  expect((await db.pool.query(`select count(*)::integer as rows from outbus.outbox`)).rows).toEqual([{ rows: 5 }])
})

test('through the bus an app that is not its own is refused, and empty where it is read', async () => {
  const all = await setUp()
  const { deadLetterId, triggerId, requestId, deliveryId } = await fill(all)
  const { emitting, db } = all
  emitting.handle('work', () => undefined, { triggerableBy: 'everyone' })
  const strayed = emitting.context({ app: 'bank', principal: { id: 'u_2' } })
  const before = await db.pool.query(
    'select (select count(*) from outbus.outbox) as rows, (select array_agg(t.*::text) from outbus.triggers t) as triggers',
  )
  await expect(strayed.kv.set('jobs', 'k', 1)).rejects.toThrow(/row-level security/)
  await expect(strayed.kv.set('jobs', 'k', 1, { dedupeKey: 'd' })).rejects.toThrow(/row-level security/)
  await expect(
    strayed.triggers.create({
      name: 'spy',
      source: 'kv',
      filter: { collection: 'jobs' },
      target: { type: 'function', name: 'work' },
    }),
  ).rejects.toThrow(/row-level security/)
  expect(await strayed.kv.get('jobs', 'dies')).toBeUndefined()
  expect((await strayed.triggers.list()).items).toEqual([])
  expect((await strayed.deadLetters.list()).items).toEqual([])
  expect((await strayed.history.list()).items).toEqual([])
  expect((await strayed.requests.abandoned()).items).toEqual([])
  expect(await strayed.requests.get(requestId)).toBeUndefined()
  await expect(strayed.deliveries.get(deliveryId)).rejects.toMatchObject({ code: 'delivery.not_found' })
  await expect(strayed.deadLetters.replay(deadLetterId)).rejects.toMatchObject({ code: 'dead_letter.not_found' })
  await expect(strayed.triggers.resume(triggerId)).rejects.toMatchObject({ code: 'trigger.not_found' })
  await expect(strayed.triggers.delete(triggerId)).rejects.toMatchObject({ code: 'trigger.not_found' })
  const after = await db.pool.query(
    'select (select count(*) from outbus.outbox) as rows, (select array_agg(t.*::text) from outbus.triggers t) as triggers',
  )
  expect(after.rows).toEqual(before.rows)
})

describe('past the bus', () => {
  test('the statements of the bus find nothing of another app, by its ids', async () => {
    const all = await setUp()
    const { requestId, deliveryId } = await fill(all)
    const emitting = await all.client('outbus_emitting')
    const run = async (statement: { readonly text: string }, parameters: unknown[]) =>
      (await emitting.query(statement.text.replaceAll('{schema}', 'outbus'), parameters)).rows
    expect(await run(takeReplies, [[requestId]])).toEqual([])
    expect(await run(leaveRequests, [[requestId]])).toEqual([])
    expect(await run(findRequest, ['bank', requestId])).toEqual([])
    expect(await run(getDelivery, ['bank', deliveryId])).toEqual([])
    const nothing = [{ waiting: 0, others: null, asked_before: 0, may_carry_out: false, notified: null }]
    expect(await run(withdrawDeliveries, ['bank', [deliveryId], 'dead', true, 'no', 'c'])).toEqual(nothing)
    // Where it may dispatch what is its own, it claims nothing else.
    await all.db.pool.query('grant all on all tables in schema outbus to outbus_emitting')
    expect(await run(claimBatch, [10, 0, 0, 0, 1_000_000, 1, 0])).toEqual([])
    expect(await run(withdrawDeliveries, ['bank', [deliveryId], 'dead', true, 'no', 'c'])).toMatchObject([
      { waiting: 0, others: null },
    ])
    expect(await all.bank.deliveries.get(deliveryId)).toBeDefined()
  })

  test('a row of its own app that names a trigger of another app is refused: it would run as that one', async () => {
    const { client, db } = await setUp()
    const emitting = await client('outbus_emitting')
    const forged = (app: string) =>
      emitting.query(
        `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id)
      values (1, 'shop', gen_random_uuid(), '{}', 1, gen_random_uuid(), json_build_object('app', $1::text), 1, gen_random_uuid())`,
        [app],
      )
    await expect(forged('bank')).rejects.toThrow(/row-level security/)
    await forged('shop')
    expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(1)
  })

  test('no setting of a session widens what a role is bound to', async () => {
    const all = await setUp()
    await fill(all)
    const emitting = await all.client('outbus_emitting')
    await emitting.query('set row_security = on')
    await expect(emitting.query('set role outbus_dispatcher')).rejects.toThrow('permission denied')
    await expect(emitting.query('set session authorization outbus_dispatching')).rejects.toThrow('permission denied')
    // Off means: fail rather than leave rows out.
    await emitting.query('set row_security = off')
    await expect(emitting.query('select from outbus.outbox')).rejects.toThrow(/row-level security/)
  })
})

test('a dispatcher serves every app, and its claim goes by the index as before', async () => {
  const all = await setUp()
  const { db, shop, bank, dispatching, client } = all
  await shop.kv.set('jobs', 'a', 1)
  await bank.kv.set('jobs', 'b', 1)
  await dispatching.start()
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(await shop.request('asks', { op: 'ask', topic: 'answers', value: 1 })).toMatchObject({ ok: true, value: 1 })
  expect(await bank.request('asks', { op: 'ask', topic: 'answers', value: 2 })).toMatchObject({ ok: true, value: 2 })
  await dispatching.stop()
  const planned = await client('outbus_dispatching')
  await planned.query(beginText(undefined, claimSettings(10_000)))
  await planned.query(`prepare claim as ${claimBatch.text.replaceAll('{schema}', 'outbus')}`)
  const { rows } = await planned.query<{ 'QUERY PLAN': string }>('explain execute claim (10, 0, 0, 0, 1000, 1, 0)')
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
  expect(plan.match(/Index Scan using outbox_due on outbox/g)).toHaveLength(3)
  expect(plan).not.toMatch(/Seq Scan|role_apps|InitPlan|SubPlan/)
})

test('a bound role’s statements go by their index, and look up its apps once', async () => {
  const { db, client } = await setUp()
  await db.pool.query(
    `insert into outbus.kv_entries select 'app' || i % 100, 'c', 'k' || i, '1', i from generate_series(1, 20000) as i;
    analyze outbus.kv_entries`,
  )
  const emitting = await client('outbus_emitting')
  const { rows } = await emitting.query<{ 'QUERY PLAN': string }>(
    `explain select value from outbus.kv_entries where app_id = 'shop' and collection = 'c' and key = 'k1'`,
  )
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
  expect(plan).toMatch(/Index Scan using kv_entries_pkey/)
  expect(plan).toMatch(/InitPlan/)
  expect(plan).not.toMatch(/SubPlan \d+\)?\n.*Seq Scan on kv_entries/)
})

test('a table that came since is secured before anybody gets a right on it; off is as before', async () => {
  const { db, migrator, client, shop } = await setUp()
  const adding = await client('outbus_migrator')
  await adding.query(
    `create table outbus.things (app_id text not null); insert into outbus.things values ('shop'), ('bank')`,
  )
  await grantRoles(migrator, { roles: TEST_ROLES })
  const seen = async (login: Parameters<typeof client>[0]) =>
    (await (await client(login)).query('select from outbus.things')).rowCount
  expect([await seen('outbus_emitting'), await seen('outbus_reading'), await seen('outbus_dispatching')]).toEqual([
    1, 2, 2,
  ])
  expect(await seen('outbus_migrator')).toBe(2)
  await disableRowSecurity(migrator)
  expect(await seen('outbus_emitting')).toBe(2)
  await enableRowSecurity(migrator, ALL_APPS)
  await enableRowSecurity(migrator, ALL_APPS)
  await shop.kv.set('jobs', 'a', 1)
  await withTransaction(db.pool, async (tx) => {
    await tx.query('delete from outbus.role_apps')
  })
  await expect(shop.kv.set('jobs', 'b', 1)).rejects.toThrow(/row-level security/)
})
