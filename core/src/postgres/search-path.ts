/**
 * Makes other programs' SQL look names up in the catalogue alone, on a connection of the bus, so that no function of
 * another login runs. The bus's own statements do not need this (`in-catalog.ts`).
 */
import type pg from 'pg'
import { ask } from './ask.ts'
import { BusClient } from './bus-client.ts'

const CLOSE = {
  text: `select pg_catalog.current_setting('search_path') as before, pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)`,
}
const OPEN = `select pg_catalog.set_config('search_path', $1, false)`

/**
 * Holds until the resolved function is called. If a statement fails in between, the connection must not be used again.
 * Does nothing on an application's connection, or behind a transaction-mode pooler, where the next statement has
 * another session.
 */
export async function closeSearchPath(client: pg.ClientBase): Promise<() => Promise<void>> {
  if (!(client instanceof BusClient) || !client.ownSession) return async () => undefined
  const { rows } = await ask(client, CLOSE)
  const { before } = rows[0] as { readonly before: string }
  return async () => void (await ask(client, { text: OPEN, values: [before] }))
}
