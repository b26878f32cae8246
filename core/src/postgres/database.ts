/** How the bus reaches Postgres: by a URL, or by the caller's pool. */
import type pg from 'pg'
import type { Logger } from 'pino'
import { busPool } from './bus-client.ts'
import type { BusClientConfig } from './bus-client.ts'
import { isPool } from './check-out.ts'
import { assertPostgresUrl, assertReadable } from './url.ts'

/** For the pool that the bus makes from a URL. */
const POOL_CONNECTIONS = 10
/** A server that does not answer a connect within this counts as absent. */
const CONNECT_TIMEOUT_MS = 10_000

export interface Database {
  /** For emits, triggers and handlers' contexts. */
  readonly pool: pg.Pool
  /** False if the caller gave it, and uses it too. */
  readonly isOwn: boolean
  /** For the connections of lanes, notes and the listener. */
  readonly connection: BusClientConfig
  /** Ends the bus's own pool: waits for connections in use, and cuts them when `over` aborts. */
  close(over: AbortSignal): Promise<void>
}

/** `ownSession`: false behind a transaction-mode pooler. */
export function openDatabase(database: unknown, log: Logger, ownSession: boolean): Database {
  if (isPool(database) && isWhole(database)) {
    const { connectionString } = database.options
    if (connectionString !== undefined) assertReadable(connectionString, 'database')
    hearOf(database, log)
    return {
      pool: database,
      isOwn: false,
      connection: { ...clientConfigOf(database.options), ownSession },
      close: async () => undefined,
    }
  }
  assertPostgresUrl(database, 'database')
  const connection: BusClientConfig = {
    connectionString: database,
    ownSession,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'outbus',
  }
  const pool = busPool({ ...connection, max: POOL_CONNECTIONS })
  // Without a listener, a connection that is lost while idle would end the process (G16).
  pool.on('error', (error) => log.debug(lossOf(error), 'an idle connection was lost'))
  const inUse = new Set<pg.PoolClient>()
  pool.on('acquire', (client) => inUse.add(client))
  pool.on('release', (_error, client) => inUse.delete(client))
  const close = async (over: AbortSignal) => {
    const cut = () => {
      for (const client of inUse) void client.end()
    }
    over.addEventListener('abort', cut, { once: true })
    const ended = pool.end()
    if (over.aborted) cut()
    await ended
  }
  return { pool, isOwn: true, connection, close }
}

/** Whether the pool has all members that the bus uses. */
function isWhole(pool: pg.Pool): boolean {
  const { options, on, listenerCount, listeners } = pool as Partial<pg.Pool>
  const isEmitter = [on, listenerCount, listeners].every((member) => typeof member === 'function')
  return isEmitter && typeof options === 'object' && options !== null
}

/**
 * Listens where the caller does not: an unheard `error` of a pool ends the process. `pg` emits one for each idle
 * connection that Postgres ends. The listener stays: the bus's connections outlive the bus, and another bus may rely on
 * it.
 */
function hearOf(pool: pg.Pool, log: Logger): void {
  if (pool.listenerCount('error') > 0) return
  pool.on('error', (error) =>
    log.warn(lossOf(error), 'an idle connection of the given pool was lost; the pool has no error listener of its own'),
  )
}

/** pg-pool adds the client to the error, and a log would show all of it. */
function lossOf(error: Error & { readonly code?: string }): object {
  return { code: error.code, reason: error.message }
}

function clientConfigOf(options: pg.PoolOptions): pg.ClientConfig {
  const { max: _max, min: _min, ...client } = options
  // The spread leaves the password out, which a pool's options hide.
  const { password } = options
  return { connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ...client, ...(password === undefined ? {} : { password }) }
}
