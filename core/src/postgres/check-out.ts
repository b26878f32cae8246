/** Who holds a connection, and what becomes of one that has ended. */
import type pg from 'pg'
import { performance } from '../time/clock.ts'
import { isOutbusError } from '../errors.ts'
import { endsConnection, refusesWrites } from './postgres-errors.ts'
import { markEnded } from './session.ts'

/** By connection. A caller's own transaction has no holder, since the bus must not end its connection. */
const holders = new WeakMap<object, (error: unknown) => void>()

/**
 * Calls `onEnded` when an answer rules out further use: the connection is lost, its server stops, or it leads to a
 * replica (25006).
 */
export function hold(connection: object, onEnded: (error: unknown) => void): void {
  holders.set(connection, onEnded)
}

/** Tells the holder of an error that ends the connection. */
export function tellHolder(connection: object, error: unknown): void {
  if (endsConnection(error)) holders.get(connection)?.(error)
}

/** Only a pool counts connections; a client, too, connects and queries. Recognises any copy of `pg`. */
export function isPool(database: unknown): database is pg.Pool {
  return (
    typeof database === 'object' &&
    database !== null &&
    'totalCount' in database &&
    'connect' in database &&
    typeof database.connect === 'function'
  )
}

const openedAt = new WeakMap<object, number>()
/** By pool: connections opened before this lead to another server than the pool's endpoint does now. */
const staleUntil = new WeakMap<object, number>()

/**
 * A pool does not listen to connections that are checked out, and a lost one would end the process (G16). The next
 * query reports the loss.
 *
 * An ended connection leaves the pool when it is released. If it led to a replica (25006), all older ones leave too,
 * rather than refuse a statement each.
 */
export async function checkOut(pool: pg.Pool): Promise<pg.PoolClient> {
  if (pool.listenerCount('connect', welcome) === 0) pool.on('connect', welcome)
  for (;;) {
    const client = await pool.connect()
    hear(client)
    if ((openedAt.get(client) ?? 0) < (staleUntil.get(pool) ?? 0)) client.release(true)
    else return held(pool, client)
  }
}

function held(pool: pg.Pool, client: pg.PoolClient): pg.PoolClient {
  let ended = false
  hold(client, (error) => {
    ended = true
    if (isReadOnly(error)) staleUntil.set(pool, performance.now())
  })
  const release = client.release
  client.release = (error) => {
    holders.delete(client)
    markEnded(client)
    release.call(client, error || ended)
  }
  return client
}

/** Runs `work` once more, on another connection, if a replica refused its write. */
export async function elsewhereIfReadOnly<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isReadOnly(error)) return work()
    throw error
  }
}

export function isReadOnly(error: unknown): boolean {
  return isOutbusError(error, 'database.read_only') || refusesWrites(error)
}

function welcome(client: pg.ClientBase): void {
  openedAt.set(client, performance.now())
  hear(client)
}

/**
 * Listens from the opening: a last message may be read together with the welcome, before anybody has the connection.
 */
function hear(client: pg.ClientBase): void {
  if (client.listenerCount('error', heardElsewhere) === 0) client.on('error', heardElsewhere)
}

const lost = new WeakSet<object>()

/** The next query reports the loss, or a pool closes the connection. */
function heardElsewhere(this: object): void {
  lost.add(this)
}

/** Whether a connection was lost after it was checked out, though its last answer came. */
export function isLost(client: object): boolean {
  return lost.has(client)
}
