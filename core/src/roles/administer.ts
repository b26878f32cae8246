/** Changes roles and row-level security as the migrator, one change at a time. */
import type pg from 'pg'
import type { Change } from '../audit/auditor.ts'
import { audit } from '../audit/auditor.ts'
import { reaching, withOwnTransaction } from '../postgres/database-calls.ts'
import { busPool } from '../postgres/bus-client.ts'
import { assertPostgresUrl } from '../postgres/url.ts'
import { Sql } from '../postgres/statement.ts'

/** Whoever wants the table next waits as long as this waits for its lock. */
const SETTINGS = [
  `lock_timeout = '10s'`,
  'client_min_messages = error',
  // This runs with every right, so names are looked up only where nobody else may create something.
  'search_path = pg_catalog, pg_temp',
]

/** The caller's pool, or one for the length of `work`. */
export async function withPool(database: string | pg.Pool, work: (pool: pg.Pool) => Promise<void>): Promise<void> {
  if (typeof database === 'object' && database !== null) return reaching(() => work(database))
  assertPostgresUrl(database, 'database')
  const pool = busPool({ connectionString: database, max: 1, ownSession: true })
  // The current statement reports the error; without a listener it would end the process.
  pool.on('error', () => undefined)
  try {
    await reaching(() => work(pool))
  } finally {
    await pool.end()
  }
}

/** A Postgres role's rights belong to no app. */
const OF_NO_APP = ''

/**
 * Runs `work` in one transaction, one at a time, because two changes of a table's rights at once would fail. The same
 * transaction writes the audit.
 */
export async function administer(
  pool: pg.Pool,
  schema: string,
  change: Change,
  work: (tx: pg.PoolClient) => Promise<void>,
): Promise<void> {
  const locked = async (tx: pg.PoolClient) => {
    // Only the table's owner can take this lock, and no reader or writer conflicts with it.
    await tx.query(`lock table only "${schema}".migrations_core in share update exclusive mode`)
    await work(tx)
    const changer = { app: OF_NO_APP, principal: undefined, caller: undefined }
    await audit(new Sql(schema, false), tx, changer, [change])
  }
  await withOwnTransaction(pool, locked, SETTINGS)
}
