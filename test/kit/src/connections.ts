/**
 * Pools and clients that a lost connection cannot turn into the end of the process. Postgres ends a connection when its
 * database is dropped or its server stops. pg then emits `error`, and an `error` without a listener is an exception that
 * nobody catches. So every pool and client of a test, a worker, an example or a script is made here; a lint rule asks for it.
 */
import pg from 'pg'

/** The next query reports the loss. */
const reportedByTheNextQuery = () => undefined

/** A pool, not connected yet. Whoever opens it ends it; in a test file prefer `useTestPool`. */
export function openPool(config: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(config)
  pool.on('error', reportedByTheNextQuery)
  // A pool listens to its idle connections only, and not to those that are checked out.
  pool.on('connect', (client) => client.on('error', reportedByTheNextQuery))
  return pool
}

/** A client, not connected yet. */
export function makeClient(config: pg.ClientConfig): pg.Client {
  const client = new pg.Client(config)
  client.on('error', reportedByTheNextQuery)
  return client
}

/** A connected client. Whoever opens it ends it; in a test file prefer `useTestClient`. */
export async function openClient(config: pg.ClientConfig): Promise<pg.Client> {
  const client = makeClient(config)
  await client.connect()
  return client
}

/** Runs `work` on a connection that lasts as long as `work` does. */
export async function withClient<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await openClient(config)
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
