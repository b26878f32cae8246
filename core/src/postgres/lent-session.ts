/**
 * How the session of a connection that was lent to an application is made as new, so that whoever gets the connection next finds
 * nothing of it (G15, G21). It goes to Postgres together with the end of the transaction: after a COMMIT through a pooler, the next
 * statement may be on another server connection.
 *
 * `discard all` would do it, but is refused beside other statements, and forgets the statements that the bus has prepared.
 */
import type pg from 'pg'
import { ask } from './ask.ts'

/** Settings, roles, cursors, channels, locks, temporary tables, and what `currval` says. */
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

/** Prepared statements: all, and those that somebody prepared by SQL. */
const PREPARED = `select pg_catalog.count(*)::pg_catalog.int4 as prepared, pg_catalog.count(*) filter (where from_sql)::pg_catalog.int4 as by_sql
from pg_catalog.pg_prepared_statements`

/** Not `deallocate all`: a pooler may have prepared statements of others on the same server connection. */
const DEALLOCATE_BY_SQL = `do $$ declare given pg_catalog.name; begin
  for given in select name from pg_catalog.pg_prepared_statements where from_sql loop
    execute pg_catalog.format('deallocate %I', given);
  end loop;
end $$`

/** A member that the types of `pg` leave out: texts of the prepared statements by their names. */
interface Prepares {
  readonly connection: { parsedStatements: Record<string, string> }
}

export interface LentUse {
  /** False behind a transaction-mode pooler. */
  readonly ownSession: boolean
  /** The application has prepared a statement by the protocol. */
  readonly named: boolean
}

/**
 * Ends the transaction and makes the session as new. Answers with what Postgres did, and whether the connection may be used again.
 * Rejects where that is not known; the transaction may have ended then.
 */
export async function endLent(
  client: pg.ClientBase,
  command: 'commit' | 'rollback',
  { ownSession, named }: LentUse,
): Promise<{ readonly command: string; readonly reusable: boolean }> {
  const text = [command, AS_NEW, ownSession ? PREPARED : DEALLOCATE_BY_SQL].join('; ')
  // Several statements in one text have several results.
  const results = (await ask(client, { text })) as unknown as readonly pg.QueryResult[]
  const ended = results[0]?.command ?? ''
  // A pooler keeps some settings itself, by client connection, and gives them to each server connection that it lends.
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
    // The transaction has ended, and how it ended is known: that this failed is an affair of the connection alone.
    return false
  }
}
