/**
 * Nothing that the bus runs is compiled by Postgres (JIT): not on tables that nobody analyzed, not after its connections were lost, and
 * not where the server compiles everything. Told by `pg_stat_statements`, on a server of this file's own.
 */
import { createTestDatabase, startPostgres } from '@outbus/test-kit'
import { openPool } from '@outbus/test-kit/connections'
import { expect, onTestFinished, test } from 'vitest'
import { aDay } from './a-day.ts'

/** The server's defaults on Debian, but for what is compiled: everything. */
const COMPILES_ALL = {
  jit: 'on',
  jit_above_cost: 0,
  jit_inline_above_cost: 0,
  jit_optimize_above_cost: 0,
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.track': 'all',
  autovacuum: 'off',
}

test.for(['the bus', 'the caller'])(
  'no statement of a day of a bus on a pool of %s is compiled',
  { timeout: 60_000 },
  async (whose) => {
    const server = await startPostgres('system', { settings: COMPILES_ALL })
    onTestFinished(() => server.stop())
    const database = await createTestDatabase(server.url)
    const admin = openPool({ connectionString: database.url, max: 2 })
    onTestFinished(() => admin.end())
    await admin.query('create extension pg_stat_statements')
    // It can compile, and would be seen to.
    await admin.query('select count(*) as seen from pg_class where relpages >= 0')
    const compiled = (like: string) =>
      admin.query<{ query: string }>(
        `select query from pg_stat_statements where jit_functions > 0 and query ~ $1 order by query`,
        [like],
      )
    expect((await compiled('as seen')).rowCount).toBe(1)

    const pool = openPool({ connectionString: database.url, max: 10 })
    onTestFinished(() => pool.end())
    const day = { url: database.url, adminUrl: database.url, name: database.name, pool: admin }
    await aDay(day, whose === 'the bus' ? undefined : pool)
    const { rows } = await compiled('"outbus"')
    expect(rows.map(({ query }) => query)).toEqual([])
    // Nor is what sets up a connection of the bus's own: many are opened at a time, after all of them were lost.
    expect((await compiled('set_config.*concat')).rows).toEqual([])
  },
)
