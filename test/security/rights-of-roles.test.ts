/**
 * What each role may do with each object, by name (issue 18, item 11). An object that a migration adds is not on the page, so the first
 * test fails until somebody has decided who may do what with it.
 */
import { existsSync, readdirSync } from 'node:fs'
import { createBus, enableRowSecurity, grantRoles } from '@outbus/core'
import { definePlugin } from '@outbus/core/plugin'
import type { AnyPlugin } from '@outbus/core/plugin'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import { pluginName } from '@outbus/plugin-name'
import { schedule } from '@outbus/schedule'
import { prepareRoles, TEST_ROLES, urlAs } from '@outbus/test-kit'
import { useTestClient, useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { beforeAll, describe, expect, test } from 'vitest'
import { lockableIn, rightsByKind, rightsIn, rightsPage } from './rights-table.ts'

/** Each plugin with migrations, and what the scaffolder makes. */
const PLUGINS: readonly AnyPlugin[] = [docs(), kv(), pluginName(), schedule()]
const FOLDERS = ['plugins/docs', 'plugins/kv', 'plugin-template/source', 'plugins/schedule']
/** A login that has no role. */
const NO_ROLE = 'outbus_no_role'
const DENIED = { code: '42501' }
const EXECUTABLE = `select p.proname from pg_proc p
where p.pronamespace in ('outbus'::regnamespace, coalesce(to_regnamespace('outbus_boss')::oid, 0)) and has_function_privilege($1, p.oid, 'execute')`

async function setUp(plugins: readonly AnyPlugin[] = []) {
  const db = await useTestDatabase()
  await prepareRoles(db.adminUrl)
  await db.pool.query(
    `do $$ begin create role ${NO_ROLE}; exception when duplicate_object or unique_violation then null; end $$`,
  )
  const migrator = urlAs(db.adminUrl, 'outbus_migrator')
  const migrate = async (more: readonly AnyPlugin[] = []) => {
    const log = pino({ level: 'silent' })
    const bus = await createBus({ database: migrator, plugins: [...plugins, ...more], migrate: true, log })
    await bus.stop({ graceMs: 0 })
  }
  await migrate()
  const grant = () => grantRoles(migrator, { roles: TEST_ROLES })
  const secure = () => enableRowSecurity(migrator, { allApps: [TEST_ROLES.dispatcher] })
  const client = (login: Parameters<typeof urlAs>[1]) => useTestClient(urlAs(db.adminUrl, login))
  return { db, migrate, grant, secure, client }
}

/** A plugin whose first migration is this. */
function pluginWith(sql: string): AnyPlugin {
  return definePlugin({ name: 'later', sources: [], migrations: { '0001_later': sql } })
}

const LATER = `create table {schema}.later_things (id serial primary key, app_id text not null, word text);
create table {schema}.later_days (app_id text not null, at date not null) partition by range (at);
create table {schema}.later_days_first partition of {schema}.later_days default;
create view {schema}.later_words as select app_id, word from {schema}.later_things;
create materialized view {schema}.later_counts as select app_id, count(*) from {schema}.later_things group by 1;
create sequence {schema}.later_sequence;
create type {schema}.later_kind as enum ('a');
create domain {schema}.later_word as text;
create function {schema}.later_reads() returns bigint language sql as $$ select count(*) from {schema}.later_things $$;
create function {schema}.later_as_owner() returns bigint language sql security definer
  set search_path = pg_catalog, pg_temp as $$ select count(*) from {schema}.later_things $$;
insert into {schema}.later_things (app_id, word) values ('shop', 'a'), ('bank', 'b');
refresh materialized view {schema}.later_counts;
`

test('every plugin that has migrations is on the page', () => {
  // The template with both has the tables of the one with a source.
  const folders = ['plugins', 'plugin-template']
    .flatMap((root) => readdirSync(root).map((name) => `${root}/${name}`))
    .filter((folder) => folder !== 'plugin-template/both')
  expect(folders.filter((folder) => existsSync(`${folder}/migrations`)).toSorted()).toEqual(FOLDERS.toSorted())
})

describe('with every plugin', () => {
  let all: Awaited<ReturnType<typeof setUp>>
  let executableBefore: readonly unknown[]
  beforeAll(async () => {
    all = await setUp(PLUGINS)
    executableBefore = (await all.db.pool.query(EXECUTABLE, [NO_ROLE])).rows
    await all.db.pool.query(`select outbus.add_day('attempts', '2030-01-01')`)
    await all.grant()
    await all.secure()
  })

  test('docs/roles.md names each object and what each role may do with it; vitest -u writes the page anew', async () => {
    const rights = await rightsIn(all.db.pool, 'outbus', TEST_ROLES, NO_ROLE)
    await expect(rightsPage(rights)).toMatchFileSnapshot('../../docs/roles.md')
    // Of pg-boss's schema, whose objects are its own: all its tables and functions are the dispatcher's, and nobody else's.
    expect(await rightsByKind(all.db.pool, 'outbus_boss', TEST_ROLES, NO_ROLE)).toEqual([
      'function | – | execute | – | –',
      'schema | – | usage | – | –',
      'table | – | select, insert, update, delete | – | –',
      // A type by itself lets nobody do anything.
      'type | usage | usage | usage | usage',
    ])
  })

  test('a function of the bus is executed by nobody before rights are granted, and by no stranger after', async () => {
    expect(executableBefore).toEqual([])
    expect((await all.db.pool.query(EXECUTABLE, [NO_ROLE])).rows).toEqual([])
  })

  test('each function says itself where names are looked up: in the catalogue, and in pg_temp last', async () => {
    const { rows } = await all.db.pool.query(
      `select p.proname from pg_proc p where p.pronamespace = 'outbus'::regnamespace
      and not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false)`,
    )
    expect(rows).toEqual([])
  })

  test('a table can be locked against other apps by whom docs/threat-model.md says, and no other', async () => {
    const lockable = await lockableIn(await all.client('outbus_emitting'), 'outbus')
    expect(lockable.join(' ')).toBe(
      'dedupe_keys docs_documents kv_entries pauses plugin_name_entries replies schedule_apps schedules triggers',
    )
    expect(await lockableIn(await all.client('outbus_reading'), 'outbus')).toEqual([])
  })
})

test('what a later migration makes is not on the page, whatever it is', async () => {
  const { db, migrate, grant } = await setUp()
  await grant()
  const before = await rightsIn(db.pool, 'outbus', TEST_ROLES, NO_ROLE)
  await migrate([pluginWith(LATER)])
  await grant()
  const after = await rightsIn(db.pool, 'outbus', TEST_ROLES, NO_ROLE)
  expect(after.filter((line) => !before.includes(line))).toMatchInlineSnapshot(`
    [
      "| table | \`later_counts\` | – | – | – | – |",
      "| table | \`later_days\` | select, insert, update, delete | select, insert, update, delete | select | – |",
      "| table | \`later_days_first\` | – | – | – | – |",
      "| table | \`later_things\` | select, insert, update, delete | select, insert, update, delete | select | – |",
      "| table | \`later_words\` | select | select | select | – |",
      "| table | \`migrations_later\` | – | – | select | – |",
      "| sequence | \`later_sequence\` | usage | usage | – | – |",
      "| sequence | \`later_things_id_seq\` | usage | usage | – | – |",
      "| sequence | \`migrations_later_id_seq\` | – | – | – | – |",
      "| function | \`later_as_owner() as its owner\` | – | – | – | – |",
      "| function | \`later_reads()\` | execute | execute | execute | – |",
      "| type | \`later_kind\` | – | – | – | – |",
      "| type | \`later_word\` | – | – | – | – |",
    ]
  `)
})

test('what a migration makes is nobody’s until rights are granted: no gap for a function, nor by default privileges', async () => {
  const { db, migrate, grant, secure, client } = await setUp()
  await grant()
  await secure()
  for (const role of ['public', TEST_ROLES.reader])
    await db.pool.query(`alter default privileges for role ${TEST_ROLES.migrator} grant select on tables to ${role}`)
  await db.pool.query(`insert into outbus.role_apps values ('outbus_reading', 'shop')`)
  await migrate([pluginWith(LATER)])
  const reading = await client('outbus_reading')
  expect((await reading.query('select from outbus.later_things')).rowCount).toBe(0)
  expect((await reading.query('select from outbus.later_days')).rowCount).toBe(0)
  expect((await reading.query('select from outbus.later_words')).rowCount).toBe(0)
  await expect(reading.query('select from outbus.later_counts')).rejects.toMatchObject(DENIED)
  await expect(reading.query('select outbus.later_as_owner()')).rejects.toMatchObject(DENIED)
  await expect(reading.query('select outbus.later_reads()')).rejects.toMatchObject(DENIED)
})

test('default privileges in the schema are withdrawn with what they have given', async () => {
  const { db, grant } = await setUp()
  for (const role of ['public', TEST_ROLES.reader, TEST_ROLES.emitter])
    await db.pool
      .query(`alter default privileges for role ${TEST_ROLES.migrator} in schema outbus grant all on tables to ${role};
      alter default privileges for role ${TEST_ROLES.migrator} in schema outbus grant all on sequences to ${role};
      alter default privileges for role ${TEST_ROLES.migrator} in schema outbus grant all on functions to ${role};
      alter default privileges for role ${TEST_ROLES.migrator} in schema outbus grant all on types to ${role};
      grant all on outbus.outbox to ${role}; grant select (before), update (after) on outbus.audit to ${role};
      grant select (before) on outbus.audit_other_days to ${role}`)
  await grant()
  expect(
    (await db.pool.query(`select from pg_default_acl where defaclnamespace = 'outbus'::regnamespace`)).rows,
  ).toEqual([])
  const rights = await rightsIn(db.pool, 'outbus', TEST_ROLES, NO_ROLE)
  for (const [name, expected] of [
    ['outbox', / \| select \| – \|$/],
    ['audit', /, resource\) \| select \| – \|$/],
    ['audit_other_days', / \| – \| – \| – \| – \|$/],
  ] as const)
    expect(rights.find((line) => line.includes(`\`${name}\``))).toMatch(expected)
})

test('under row security a view shows a role its own apps, and what is a copy is nobody’s', async () => {
  const { db, migrate, grant, secure, client } = await setUp()
  await migrate([pluginWith(LATER)])
  await db.pool.query(`grant select on outbus.later_counts to ${TEST_ROLES.reader}`)
  await grant()
  await db.pool.query(`grant select on outbus.later_counts to ${TEST_ROLES.reader}`)
  await secure()
  await db.pool.query(`insert into outbus.role_apps values ('outbus_reading', 'shop'), ('outbus_emitting', 'shop')`)
  for (const login of ['outbus_reading', 'outbus_emitting'] as const) {
    const asking = await client(login)
    expect((await asking.query('select app_id from outbus.later_words')).rows).toEqual([{ app_id: 'shop' }])
    expect((await asking.query('select outbus.later_reads()::integer as n')).rows).toEqual([{ n: 1 }])
    await expect(asking.query('select from outbus.later_counts')).rejects.toMatchObject(DENIED)
    await expect(asking.query('select outbus.later_as_owner()')).rejects.toMatchObject(DENIED)
  }
})
