/** Who has a connection in hands, and what becomes of one that has ended. */
import type pg from 'pg'
import { performance } from '../time/clock.ts'
import { isOutbusError } from '../errors.ts'
import { endsConnection, refusesWrites } from './postgres-errors.ts'
import { hasEnded } from './session.ts'

/** By connection. Of a caller's own transaction there is nobody: its connection is not the bus's to end. */
const holders = new WeakMap<object, (error: unknown) => void>()

/**
 * From now on `onEnded` is called where an answer on the connection says that it must not be used again: it is lost, its server is
 * stopping, or it leads to a replica that takes no writes (25006), which it would go on to do for ever.
 */
export function hold(connection: object, onEnded: (error: unknown) => void): void {
  holders.set(connection, onEnded)
}

/** Tells the holder of a connection of an error that it was answered with. */
export function tellHolder(connection: object, error: unknown): void {
  if (endsConnection(error)) holders.get(connection)?.(error)
}

/** Told from a client, which also connects and queries, by what only a pool counts. From any copy of `pg`. */
export function isPool(database: unknown): database is pg.Pool {
  return (
    typeof database === 'object' &&
    database !== null &&
    'totalCount' in database &&
    'connect' in database &&
    typeof database.connect === 'function'
  )
}

/** When its pool opened a connection, by connection. */
const openedAt = new WeakMap<object, number>()
/** By pool, since when its endpoint is known to be another server than the one that older connections lead to. */
const staleUntil = new WeakMap<object, number>()

/**
 * A connection of the pool. A pool listens to the connections in it and not to those that are checked out: one that
 * is lost then would end the process (G16). Whoever uses it hears of the loss from its next query.
 *
 * One that has ended, by what was answered on it, leaves the pool when it is released. Where it led to a replica (25006), all that
 * were opened before that was heard leave the pool, instead of refusing one statement each.
 */
export async function checkOut(pool: pg.Pool): Promise<pg.PoolClient> {
  if (!pool.listeners('connect').includes(welcome)) pool.on('connect', welcome)
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
    hasEnded(client)
    release.call(client, error || ended)
  }
  return client
}

/** Runs `work` again, once, where what it wrote was refused because its connection led to a replica: it writes on another one then. */
export async function elsewhereIfReadOnly<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isReadOnly(error)) return work()
    throw error
  }
}

/** Refused by a server, or a session, that takes no writes. */
export function isReadOnly(error: unknown): boolean {
  return isOutbusError(error, 'database.read_only') || refusesWrites(error)
}

function welcome(client: pg.ClientBase): void {
  openedAt.set(client, performance.now())
  hear(client)
}

/**
 * Also in the moment in which a pool has opened it: what Postgres said last may have been read together with its
 * welcome, and is told before whoever waits for the connection has it.
 */
function hear(client: pg.ClientBase): void {
  if (!client.listeners('error').includes(heardElsewhere)) client.on('error', heardElsewhere)
}

function heardElsewhere(): void {}
