/** Connections that answer nothing: half-open, mostly, since their machine or the network has gone. */
import type { Socket } from 'node:net'
import type pg from 'pg'

/** Beyond the server's own limit, which ends what a process that says nothing has begun. */
export const SILENT_FOR_MORE_MS = 5_000

/** The socket under a connection. */
export function socketOf(client: pg.ClientBase): Socket {
  return (client as unknown as { readonly connection: { readonly stream: Socket } }).connection.stream
}

/**
 * Ends those of the pool that somebody uses and on which nothing was sent or heard for so long. By the socket's own timer: the one
 * that `pg` would take for each statement costs more, also of memory (`answer.ts`).
 */
export function endSilent(pool: pg.Pool, limitMs: number): void {
  const used = new WeakSet<pg.PoolClient>()
  pool.on('acquire', (client) => void used.add(client))
  pool.on('release', (_error, client) => void used.delete(client))
  pool.on('connect', (client) => {
    const socket = socketOf(client)
    socket.setTimeout(limitMs, () => {
      if (used.has(client)) socket.destroy(new Error(`Postgres has answered nothing for ${limitMs} ms`))
    })
  })
}
