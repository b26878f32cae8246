/** Ends connections that answer nothing, mostly half-open ones. */
import type { Socket } from 'node:net'
import type pg from 'pg'

/** Beyond the server's own limit for a silent process. */
export const SILENT_FOR_MORE_MS = 5_000

export function socketOf(client: pg.ClientBase): Socket {
  return (client as unknown as { readonly connection: { readonly stream: Socket } }).connection.stream
}

/**
 * Ends connections in use on which nothing was sent or heard for `limitMs`. The socket's own timer costs less time and
 * memory than `pg`'s for each statement (`ask.ts`).
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
