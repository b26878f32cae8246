/**
 * Where the names of somebody else's SQL are looked up, on a connection of the bus's own: in the catalogue alone, so that nothing is run
 * that another login has put into a schema of the search path. The bus's own statements need no such thing (`in-catalog.ts`).
 */
import type pg from 'pg'
import { ask } from './ask.ts'
import { BusClient } from './bus-client.ts'

const CLOSE = {
  text: `select pg_catalog.current_setting('search_path') as before, pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)`,
}
const OPEN = `select pg_catalog.set_config('search_path', $1, false)`

/**
 * From now on, until what it resolves to is called. A connection on which a statement fails in between is not to be used again. Does
 * nothing on a connection of the application, and behind a transaction-mode pooler, where the next statement has another session.
 */
export async function closeSearchPath(client: pg.ClientBase): Promise<() => Promise<void>> {
  if (!(client instanceof BusClient) || !client.ownSession) return async () => undefined
  const { rows } = await ask(client, CLOSE)
  const { before } = rows[0] as { readonly before: string }
  return async () => void (await ask(client, { text: OPEN, values: [before] }))
}
