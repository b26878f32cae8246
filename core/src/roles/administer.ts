/** How roles and row-level security are changed: as the migrator, one change at a time. */
import type pg from 'pg'
import { reaching, withOwnTransaction } from '../database-calls.ts'
import { busPool } from '../postgres/bus-client.ts'
import { assertPostgresUrl } from '../postgres/url.ts'

/** Whoever comes after a change of a table waits as long as it waits for its lock. */
const SETTINGS = [`lock_timeout = '10s'`, 'client_min_messages = error']

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

/** In one transaction, and one at a time: two that change the rights of one table at once would fail. */
export async function administer(
  pool: pg.Pool,
  schema: string,
  work: (tx: pg.PoolClient) => Promise<void>,
): Promise<void> {
  const locked = async (tx: pg.PoolClient) => {
    await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`outbus roles of schema ${schema}`])
    await work(tx)
  }
  await withOwnTransaction(pool, locked, SETTINGS)
}
