/**
 * Two apps on one schema under row security: by no way of SQL does a login of one read or write rows of the other, whichever table they are
 * in, and no error says what the other has (issue 18, item 11; G15). Each table with an app takes part, those of plugins too.
 */
import { createBus, enableRowSecurity, grantRoles } from '@outbus/core'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import { pluginName } from '@outbus/plugin-name'
import { schedule } from '@outbus/schedule'
import { prepareRoles, TEST_ROLES, urlAs } from '@outbus/test-kit'
import { useTestClient, useTestDatabase } from '@outbus/test-kit/vitest'
import type pg from 'pg'
import pino from 'pino'
import { beforeAll, describe, expect, test } from 'vitest'
import { carryOutWithdrawals } from '../../core/src/sql/deliveries/carry-out-withdrawals.ts'
import { resolveDeadLetters } from '../../core/src/sql/settle/resolve-dead-letters.ts'

const plugins = [kv(), docs(), schedule(), pluginName()]
const DENIED = { code: '42501' }
const EVERYTHING_OF_BANK = `select o::text as row from outbus.outbox o where app_id = 'bank'
union all select d::text from outbus.dead_letters d where app_id = 'bank'
union all select c::text from outbus.cancellations c where app_id = 'bank' order by 1`
const SECRET = 'bank-secret'

interface Table {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  /** Of a unique index without the app. */
  readonly uniqueWithoutApp: boolean
}

const TABLES = `select c.relname as name,
  array(select json_build_object('name', a.attname, 'type', a.atttypid::regtype::text) from pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity <> 'a'
      and (a.attnotnull or a.atttypid in ('text'::regtype, 'json'::regtype, 'jsonb'::regtype))
      and (not a.atthasdef or a.atttypid in ('text'::regtype)) order by a.attnum) as columns,
  exists (select from pg_index i where i.indrelid = c.oid and i.indisunique and not exists (
    select from pg_attribute a where a.attrelid = c.oid and a.attname = 'app_id' and a.attnum = any (i.indkey::smallint[]))) as "uniqueWithoutApp"
from pg_class c
where c.relnamespace = 'outbus'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'role_apps'
  and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'app_id')
order by 1`

/** Columns that take a few words only. */
const WORDS: Readonly<Record<string, string>> = {
  outcome: 'dead',
  missed: 'skip',
  run_as: 'registrant',
  resolution: 'handled',
}

/** A value of each type; all rows have the same, so that those of two apps are told apart by their app and its secret alone. */
function valueOf(column: string, type: string, app: string): unknown {
  if (column === 'app_id') return app
  if (type === 'text') return WORDS[column] ?? `${app}-secret`
  if (type === 'json' || type === 'jsonb') return JSON.stringify({ app, secret: `${app}-secret` })
  if (type === 'uuid') return app === 'bank' ? BANK_ID : SHOP_ID
  if (type === 'boolean') return false
  if (type.startsWith('timestamp')) return new Date()
  if (type.endsWith('[]')) return []
  return app === 'bank' ? 1 : 2
}

const BANK_ID = '00000000-0000-4000-8000-000000000001'
const SHOP_ID = '00000000-0000-4000-8000-000000000002'

function insertion({ name, columns }: Table, app: string, changes: Readonly<Record<string, unknown>> = {}) {
  const given = columns.filter((column) => !(column.name === 'priority' && column.type === 'smallint'))
  const names = given.map((column) => column.name)
  const values = given.map((column) =>
    column.name in changes ? changes[column.name] : valueOf(column.name, column.type, app),
  )
  const places = names.map((_, i) => `$${i + 1}`)
  const more = columns.length === given.length ? ['', ''] : [', priority', ', 1']
  return {
    text: `insert into outbus.${name} (${names.join(', ')}${more[0]}) values (${places.join(', ')}${more[1]})`,
    values,
  }
}

async function setUp() {
  const db = await useTestDatabase()
  await prepareRoles(db.adminUrl)
  const migrator = urlAs(db.adminUrl, 'outbus_migrator')
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: migrator, plugins, migrate: true, log })
  await bus.stop({ graceMs: 0 })
  await grantRoles(migrator, { roles: TEST_ROLES })
  await enableRowSecurity(migrator, { allApps: [TEST_ROLES.dispatcher] })
  await db.pool.query(`insert into outbus.role_apps values ('outbus_emitting', 'shop'), ('outbus_reading', 'shop');
    select outbus.add_day('attempts', (now() at time zone 'UTC')::date), setval('outbus.outbox_id_seq', 100)`)
  const { rows: tables } = await db.pool.query<Table>(TABLES)
  // What the bus itself wrote of bindings and quotas goes, so that each app has one row in each table.
  await db.pool.query('truncate outbus.audit')
  for (const table of tables)
    for (const app of ['shop', 'bank']) {
      const { text, values } = insertion(table, app)
      await db.pool.query(`${text} on conflict do nothing`, values)
    }
  await db.pool.query(`delete from outbus.trigger_changes where content_id not like '%-secret'`)
  await db.pool.query('analyze')
  const client = (login: Parameters<typeof urlAs>[1]) => useTestClient(urlAs(db.adminUrl, login))
  return { db, tables, client }
}

describe('with every right on every table', () => {
  let all: Awaited<ReturnType<typeof setUp>>
  let attacking: pg.ClientBase
  const notices: string[] = []
  beforeAll(async () => {
    all = await setUp()
    // Only the policies are left.
    await all.db.pool.query(
      'grant all on all tables in schema outbus to outbus_emitting; grant all on all sequences in schema outbus to outbus_emitting',
    )
    attacking = await all.client('outbus_emitting')
    attacking.on('notice', ({ message }) => void notices.push(message ?? ''))
    await attacking.query(`create function pg_temp.tell(text) returns boolean language plpgsql cost 0.0000001 as
      $$ begin raise notice '%', $1; return true; end $$`)
  })

  test.for<[way: string, sql: (table: string) => string]>([
    ['a select', (t) => `select t::text from outbus.${t} t`],
    ['a select of one app', (t) => `select t::text from outbus.${t} t where app_id = 'bank' or app_id = 'shop'`],
    ['a function that tells what it is asked', (t) => `select t::text from outbus.${t} t where pg_temp.tell(t::text)`],
    ['a sample', (t) => `select t::text from outbus.${t} t tablesample system (100)`],
    ['a lock', (t) => `select t::text from outbus.${t} t for share`],
    ['an update', (t) => `update outbus.${t} t set app_id = app_id returning t::text`],
    [
      'a merge',
      (t) => `merge into outbus.${t} t using (values (1)) as v on true when matched then update set app_id = t.app_id`,
    ],
    ['a deletion', (t) => `delete from outbus.${t} t returning t::text`],
    ['a copy of the table', (t) => `copy outbus.${t} to stdout`],
    ['a copy of a query', (t) => `copy (select * from outbus.${t}) to stdout`],
    ['a view of its own', (t) => `create temp view v_${t} as select * from outbus.${t}; select t::text from v_${t} t`],
    ['a cursor', (t) => `declare c cursor for select t::text from outbus.${t} t; fetch all from c`],
  ])('%s reaches the rows of one app', async ([, sql]) => {
    expect(all.tables.length).toBeGreaterThan(20)
    for (const { name } of all.tables) {
      await attacking.query('begin')
      try {
        const results: unknown = await attacking.query(sql(name))
        const last = (Array.isArray(results) ? results.at(-1) : results) as pg.QueryResult
        // A partitioned table by itself has none to be copied.
        expect([name, last.rowCount]).toEqual([
          name,
          name === 'attempts' || name === 'audit' ? expect.toBeOneOf([0, 1]) : 1,
        ])
        expect(JSON.stringify(last.rows)).not.toContain(SECRET)
      } finally {
        await attacking.query('rollback')
      }
    }
    expect(notices.filter((notice) => notice.includes(SECRET))).toEqual([])
  })

  test('what is written for the other app is refused, and an error says nothing of what it has', async () => {
    for (const table of all.tables) {
      const written = attacking.query(insertion(table, 'bank'))
      const error = await written.then(
        () => undefined,
        (thrown: pg.DatabaseError) => thrown,
      )
      expect([table.name, error?.code, error?.detail]).toEqual([table.name, '42501', undefined])
      // Its own row with the other's id, where that is unique in all apps.
      const own = { app_id: 'shop', trigger: JSON.stringify({ app: 'shop' }) }
      // What goes by the id of a trigger or a request is refused before it could conflict.
      const isRefused = table.name === 'trigger_limits' || table.name === 'abandoned_executions'
      const conflicting = insertion(table, 'bank', isRefused ? own : { ...own, trigger_id: SHOP_ID, event_id: SHOP_ID })
      const said = await attacking.query(conflicting).then(
        () => undefined,
        (thrown: pg.DatabaseError) => thrown,
      )
      if (isRefused) expect(said).toMatchObject(DENIED)
      else if (said !== undefined)
        expect([table.name, said.code, said.detail]).toEqual([table.name, '23505', undefined])
      if (said !== undefined && !isRefused) {
        await expect(
          attacking.query({ ...conflicting, text: conflicting.text.replace(/$/, ' on conflict do nothing') }),
        ).resolves.toMatchObject({ rowCount: 0 })
      }
    }
  })

  test('statistics of what is under row security are nobody’s to read', async () => {
    const { rows } = await attacking.query(
      `select tablename, attname from pg_stats where schemaname = 'outbus' and tablename = any ($1::text[])`,
      [all.tables.map(({ name }) => name)],
    )
    expect(rows).toEqual([])
    const known = await all.db.pool.query(`select from pg_stats where schemaname = 'outbus'`)
    expect(known.rowCount).toBeGreaterThan(20)
  })
})

describe('with the rights of its role', () => {
  let all: Awaited<ReturnType<typeof setUp>>
  beforeAll(async () => {
    all = await setUp()
  })

  test.for<[what: string, statement: string, error: object]>([
    ['to copy into a table', 'copy outbus.kv_entries from stdin', { code: '0A000' }],
    [
      'to refer to a row',
      'create table public.mine (app_id text, collection text, key text, foreign key (app_id, collection, key) references outbus.kv_entries)',
      DENIED,
    ],
    ['to hang a table below one', 'create temp table mine () inherits (outbus.kv_entries)', DENIED],
    ['to make a policy', 'create policy mine on outbus.kv_entries using (true)', DENIED],
    ['to make a rule', 'create rule mine as on insert to outbus.kv_entries do nothing', DENIED],
    ['to make statistics', 'create statistics mine on app_id, key from outbus.kv_entries', DENIED],
    ['to switch row security off', 'alter table outbus.kv_entries disable row level security', DENIED],
    ['to set a sequence back', `select setval('outbus.kv_version_sequence', 1)`, DENIED],
    ['to read a sequence that is not its own', 'select last_value from outbus.outbox_id_seq', DENIED],
    ['to bind itself', `insert into outbus.role_apps values ('outbus_emitting', 'bank')`, DENIED],
    ['to be the dispatcher', `set role ${TEST_ROLES.dispatcher}`, DENIED],
  ])('an emitter is refused %s', async ([, statement, error]) => {
    await all.db.pool.query(
      'create schema if not exists public; grant create, usage on schema public to outbus_emitting',
    )
    const client = await all.client('outbus_emitting')
    await expect(client.query(statement)).rejects.toMatchObject(error)
  })

  test('an object in pg_temp stands for none of the bus’s, in no function and in no policy', async () => {
    const client = await all.client('outbus_emitting')
    await client.query(`create temp table role_apps (role regrole, app_id text);
      insert into role_apps values ('outbus_emitting', 'bank');
      create temp table pg_roles as select * from pg_catalog.pg_roles;
      create temp table triggers (app_id text);
      create function pg_temp.pg_has_role(name, oid, text) returns boolean language sql as 'select true';
      set search_path = pg_temp, outbus, pg_catalog`)
    expect((await client.query('select app_id from outbus.kv_entries')).rows).toEqual([{ app_id: 'shop' }])
    expect(
      (
        await client.query(
          `select outbus.count_triggers('shop', 9)::integer as n, outbus.has_schedule('bank', 'bank-secret') as h`,
        )
      ).rows,
    ).toEqual([{ n: 1, h: false }])
  })

  test('what it writes of the other app’s ids carries out nothing there, whoever dispatches', async () => {
    const { db, client } = all
    const emitting = await client('outbus_emitting')
    const { rows } = await db.pool.query<{ delivery: string; letter: string }>(`select
      (select id from outbus.outbox where app_id = 'bank') as delivery, (select id from outbus.dead_letters where app_id = 'bank') as letter`)
    const { delivery, letter } = rows[0] as { delivery: string; letter: string }
    await db.pool.query(`update outbus.dead_letters set resolution = null where app_id = 'bank'`)
    const before = (await db.pool.query(EVERYTHING_OF_BANK)).rows
    await emitting.query(
      `insert into outbus.withdrawals (app_id, delivery_id, outcome, dead_letter, reason) values ('shop', $1, 'dead', true, 'no')`,
      [delivery],
    )
    const own = await emitting.query<{ id: string }>(
      `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, replay_of)
      values (1, 'shop', gen_random_uuid(), json_build_object('id', $1::text, 'app', 'bank'), 1, gen_random_uuid(),
        '{"app":"shop","source":"dead_letter"}', 1, gen_random_uuid(), $1::bigint) returning id`,
      [letter],
    )
    const dispatching = await client('outbus_dispatching')
    const run = (text: string, values: unknown[]) => dispatching.query(text.replaceAll('{schema}', 'outbus'), values)
    expect((await run(carryOutWithdrawals.text, [null, null, 100, true])).rows).toMatchObject([{ buried: 0 }])
    await run(resolveDeadLetters.text, [[own.rows[0]?.id], [letter], ['handled'], null])
    expect((await db.pool.query(EVERYTHING_OF_BANK)).rows).toEqual(before)
  })

  test('an outbox row is of the app that its reader takes it for, however its trigger says so', async () => {
    const client = await all.client('outbus_emitting')
    for (const trigger of [
      '{"app":"shop","app":"bank"}',
      '{"app":"bank","app":"shop"}',
      '{"app":"bank","\\u0061pp":"shop"}',
      '{"app":"shop","\\u0061pp":"bank"}',
      '{"app":"shop","x":{"app":"bank"}}',
      '{"x":{"app":"shop"},"app":"bank"}',
      '{"app":["shop"]}',
      '{"app ":"shop"}',
      '{"app":"shop "}',
      '["app","shop"]',
      '{}',
    ])
      await client
        .query(
          `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id)
          values (1, 'shop', gen_random_uuid(), '{}', 1, gen_random_uuid(), $1, 1, gen_random_uuid())`,
          [trigger],
        )
        .catch((error: { code: string }) => expect(error.code).toBe('42501'))
    const { rows } = await all.db.pool.query<{ trigger: string }>(
      `select trigger::text from outbus.outbox where app_id = 'shop'`,
    )
    expect(rows.length).toBeGreaterThan(2)
    expect(rows.filter(({ trigger }) => (JSON.parse(trigger) as { app?: unknown }).app !== 'shop')).toEqual([])
  })
})
