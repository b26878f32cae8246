/**
 * Resets the session of a connection that an application had, for the next holder (G15, G21). The reset goes in one
 * text with the end of the transaction: behind a pooler, the next statement may have another server connection.
 * `discard all` is refused beside other statements, and forgets the bus's prepared ones.
 */
import type pg from 'pg'
import { ask } from './ask.ts'

/** Settings, roles, cursors, channels, locks, temporary tables and `currval`. */
const AS_NEW = [
  'set session authorization default',
  'reset role',
  'reset all',
  'close all',
  'unlisten *',
  'discard temp',
  'discard sequences',
  'select pg_catalog.pg_advisory_unlock_all()',
].join('; ')

/** Counts prepared statements: all, and those prepared by SQL. */
const PREPARED = `select pg_catalog.count(*)::pg_catalog.int4 as prepared, pg_catalog.count(*) filter (where from_sql)::pg_catalog.int4 as by_sql
from pg_catalog.pg_prepared_statements`

/** Not `deallocate all`: behind a pooler others may have prepared statements on the server connection. */
const DEALLOCATE_BY_SQL = `do $$ declare given pg_catalog.name; begin
  for given in select name from pg_catalog.pg_prepared_statements where from_sql loop
    execute pg_catalog.format('deallocate %I', given);
  end loop;
end $$`

/** A member that the types of `pg` leave out: the texts of prepared statements by name. */
interface Prepares {
  readonly connection: { parsedStatements: Record<string, string> }
}

export interface LentUse {
  /** False behind a transaction-mode pooler. */
  readonly ownSession: boolean
  /** The application prepared a statement by the protocol. */
  readonly named: boolean
}

/**
 * Ends the transaction and resets the session. Returns the command tag, and whether the connection may be used again.
 * Rejects if that is not known; the transaction may have ended then.
 */
export async function endLent(
  client: pg.ClientBase,
  command: 'commit' | 'rollback',
  { ownSession, named }: LentUse,
): Promise<{ readonly command: string; readonly reusable: boolean }> {
  const text = [command, AS_NEW, ownSession ? PREPARED : DEALLOCATE_BY_SQL].join('; ')
  const results = (await ask(client, { text })) as unknown as readonly pg.QueryResult[]
  const ended = results[0]?.command ?? ''
  // A pooler keeps some settings for each client connection, and gives them to every server connection.
  if (!ownSession) return { command: ended, reusable: false }
  const [found] = (results.at(-1) as pg.QueryResult<{ prepared: number; by_sql: number }>).rows
  const { connection } = client as unknown as Prepares
  if (!named && found?.by_sql === 0 && found.prepared === Object.keys(connection.parsedStatements).length)
    return { command: ended, reusable: true }
  return { command: ended, reusable: await forgetPrepared(client, connection) }
}

async function forgetPrepared(client: pg.ClientBase, connection: Prepares['connection']): Promise<boolean> {
  try {
    await ask(client, { text: 'deallocate all' })
    connection.parsedStatements = {}
    return true
  } catch {
    // How the transaction ended is known, so only the connection is lost.
    return false
  }
}
