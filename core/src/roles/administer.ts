/** How roles and row-level security are changed: as the migrator, one change at a time. */
import type pg from 'pg'
import type { Change } from '../audit/auditor.ts'
import { audit } from '../audit/auditor.ts'
import { reaching, withOwnTransaction } from '../postgres/database-calls.ts'
import { busPool } from '../postgres/bus-client.ts'
import { assertPostgresUrl } from '../postgres/url.ts'
import { Sql } from '../postgres/statement.ts'

/** Whoever comes after a change of a table waits as long as it waits for its lock. */
const SETTINGS = [
  `lock_timeout = '10s'`,
  'client_min_messages = error',
  // Done with every right: no name is looked up where anybody else may create something.
  'search_path = pg_catalog, pg_temp',
]

/** The caller's pool, or one for the length of `work`. */
export async function withPool(database: string | pg.Pool, work: (pool: pg.Pool) => Promise<void>): Promise<void> {
  if (typeof database === 'object' && database !== null) return reaching(() => work(database))
  assertPostgresUrl(database, 'database')
  const pool = busPool({ connectionString: database, max: 1, ownSession: true })
  // The statement under way reports it; unheard it would end the process.
  pool.on('error', () => undefined)
  try {
    await reaching(() => work(pool))
  } finally {
    await pool.end()
  }
}

/** What a role of Postgres may do belongs to no app. */
const OF_NO_APP = ''

/**
 * In one transaction, and one at a time: two that change the rights of one table at once would fail. What changed is written into the
 * audit by the same transaction.
 */
export async function administer(
  pool: pg.Pool,
  schema: string,
  change: Change,
  work: (tx: pg.PoolClient) => Promise<void>,
): Promise<void> {
  const locked = async (tx: pg.PoolClient) => {
    // Only the owner of the table can take this lock, and nobody who reads or writes conflicts with it.
    await tx.query(`lock table only "${schema}".migrations_core in share update exclusive mode`)
    await work(tx)
    const changer = { app: OF_NO_APP, principal: undefined, caller: undefined }
    await audit(new Sql(schema, false), tx, changer, [change])
  }
  await withOwnTransaction(pool, locked, SETTINGS)
}
