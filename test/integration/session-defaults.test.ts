/** Whatever `alter database` says by default, each statement and transaction of the bus states what it needs of its session (G21). */
import { useTestDatabase, useTestPool } from '@outbus/test-kit/vitest'
import { expect, test } from 'vitest'
import { aDay } from './a-day.ts'

const DEFAULTS: Record<string, string[]> = {
  'serializable transactions': [
    `default_transaction_isolation = 'serializable'`,
    'default_transaction_deferrable = on',
  ],
  'repeatable reads': [`default_transaction_isolation = 'repeatable read'`],
  'read-only transactions': ['default_transaction_read_only = on'],
  'times and floats in other formats': [
    `datestyle = 'German, DMY'`,
    `intervalstyle = 'sql_standard'`,
    `timezone = 'Asia/Kathmandu'`,
    'extra_float_digits = -15',
    `bytea_output = 'escape'`,
  ],
  'texts and arrays read otherwise': [
    'standard_conforming_strings = off',
    'array_nulls = off',
    'transform_null_equals = on',
    'gin_fuzzy_search_limit = 1',
    `lc_messages = 'C'`,
  ],
  'limits that are too short': [
    `statement_timeout = '100ms'`,
    `lock_timeout = '1ms'`,
    `idle_in_transaction_session_timeout = '200ms'`,
    `idle_session_timeout = '1s'`,
  ],
  'plans of its own': [
    'enable_indexscan = off',
    'enable_indexonlyscan = off',
    'enable_nestloop = off',
    `plan_cache_mode = 'force_custom_plan'`,
  ],
  'another search path, and rows not secured': ['search_path = evil, pg_catalog', 'row_security = off'],
}
/** What a search path that has another schema before the catalogue finds there first. */
const EVIL = `create schema evil;
grant usage on schema evil to public;
create function evil.now() returns timestamptz language sql as $$ select timestamptz '2001-01-01' $$;
create function evil.clock_timestamp() returns timestamptz language sql as $$ select timestamptz '2001-01-01' $$;
create function evil.set_config(text, text, boolean) returns text language sql as $$ select 'nothing'::text $$;
create function evil.evil_equal(text, text) returns boolean language sql as $$ select false $$;
create operator evil.= (leftarg = text, rightarg = text, function = evil.evil_equal)`

const settings = Object.entries(DEFAULTS)
const WHOSE = ['the bus', 'the caller'] as const

test.for(settings.flatMap(([what, defaults]) => WHOSE.map((whose) => ({ what, defaults, whose }))))(
  'a day of a bus on a pool of $whose is the same where the database has by default: $what',
  async ({ defaults, whose }) => {
    const db = await useTestDatabase()
    await db.pool.query(EVIL)
    for (const setting of defaults) await db.pool.query(`alter database ${db.name} set ${setting}`)
    await db.pool.query(
      `do $$ begin if current_setting('server_version_num')::integer >= 170000 and ${String(defaults.join().includes('lock_timeout'))} then
        execute format('alter database %I set transaction_timeout = 250', current_database());
      end if; end $$`,
    )
    const pool = whose === 'the bus' ? undefined : useTestPool(db.url, { max: 10 })
    await expect(aDay(db, pool)).resolves.toBeUndefined()
    if (pool === undefined) return
    // Whoever uses the pool besides finds its connections as they were. (`transaction_…` is of the transaction that asks.)
    const { rows } = await pool.query<{ differing: string[] }>(
      `select array(select name::text from pg_catalog.pg_settings where setting <> reset_val and source = 'session' and name <> 'application_name' and not starts_with(name, 'transaction_')) as differing`,
    )
    expect(rows).toEqual([{ differing: [] }])
  },
)
