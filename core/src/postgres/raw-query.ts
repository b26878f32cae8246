import type pg from 'pg'
import { ask, askSession } from './ask.ts'
import type { Client } from './ask.ts'
import { checkOut, elsewhereIfReadOnly, isPool } from './check-out.ts'
import { beginText, isBegun, sessionOf, statusOf } from './session.ts'
import type { Session } from './session.ts'
import { parameterOf, TEXTS } from './types.ts'
import { inCatalog } from './in-catalog.ts'
import { sqlStateOf } from './postgres-errors.ts'
import type { Queryable } from './queryable.ts'

/** Sends a query of the bus, and gives it the settings that it needs, however the session is set up (`session.ts`). */
export async function rawQuery(on: Queryable, query: pg.QueryConfig): Promise<pg.QueryResult> {
  try {
    return isPool(on) ? await elsewhereIfReadOnly(() => queryPool(on, query)) : await queryClient(on, query)
  } catch (error) {
    // The trace of the caller replaces that of the socket. An application may have removed the function.
    if (typeof error === 'object' && error !== null) Error.captureStackTrace?.(error)
    throw error
  }
}

/** For queries that are no statement of a file, mostly of the catalogue. */
export async function rowsOf<Row>(on: Queryable, text: string, values: unknown[] = []): Promise<Row[]> {
  const { rows } = await rawQuery(on, { text: inCatalog(text), values })
  return rows as Row[]
}

/**
 * Unlike `pool.query`, this takes a client, which tells how its results are sent. After an error the connection leaves
 * the pool: a text of several statements, such as pg-boss's, may have left a transaction open.
 */
async function queryPool(pool: pg.Pool, query: pg.QueryConfig): Promise<pg.QueryResult> {
  const client = await checkOut(pool)
  let failed = true
  try {
    const result = await queryClient(client, query)
    failed = false
    return result
  } finally {
    client.release(failed)
  }
}

/**
 * Goes by itself in a usual session, and in a transaction with settings otherwise (`session.ts`). Sent before this
 * returns if the session is known: a lane sends several statements at once.
 */
function queryClient(client: Client, query: pg.QueryConfig): Promise<pg.QueryResult> {
  const session = sessionOf(client)
  if (session !== undefined && (!session.wraps || isBegun(client))) return ask(client, query)
  return queryUnknownSession(client, query)
}

async function queryUnknownSession(client: Client, query: pg.QueryConfig): Promise<pg.QueryResult> {
  const session = await askSession(client)
  if (session === undefined || !session.wraps || isBegun(client)) return ask(client, query)
  const status = statusOf(client)
  if (status === 'I') return inItsOwnTransaction(client, query, session)
  return status === 'T' && session.perStatement.length > 0
    ? withStatementSettings(client, query, session.perStatement)
    : ask(client, query)
}

const COMMIT = { text: 'commit' }

async function inItsOwnTransaction(client: Client, query: pg.QueryConfig, session: Session): Promise<pg.QueryResult> {
  const begin = { text: beginText(session) }
  if ((client as { readonly pipeline?: boolean }).pipeline === true) {
    // All in one write. The first failure counts, since COMMIT of a failed transaction succeeds.
    const [begun, answered, committed] = await Promise.allSettled(
      [begin, query, COMMIT].map((each) => ask(client, each)),
    )
    for (const said of [begun, answered, committed]) if (said?.status === 'rejected') throw said.reason
    return (answered as PromiseFulfilledResult<pg.QueryResult>).value
  }
  await ask(client, begin)
  try {
    const result = await ask(client, query)
    await ask(client, COMMIT)
    return result
  } catch (error) {
    // If the connection is lost, so is the transaction.
    await ask(client, { text: 'rollback' }).catch(() => undefined)
    throw error
  }
}

const SETTINGS = `select array(
  select pg_catalog.current_setting(name) from pg_catalog.unnest($1::pg_catalog.text[]) with ordinality as asked (name, i) order by i
) as settings`
const SET_LOCALLY = `select pg_catalog.set_config(name, value, true)
from rows from (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) as setting (name, value)`

/** The last turn by connection. Each turn begins when the one before has restored its settings. */
const turns = new WeakMap<object, Promise<unknown>>()

/**
 * Runs within a caller's transaction and restores its settings. A failed transaction has none to restore. Queries that
 * the caller sends meanwhile, without waiting, run in between.
 */
function withStatementSettings(
  client: Client,
  query: pg.QueryConfig,
  settings: Session['perStatement'],
): Promise<pg.QueryResult> {
  const names = parameterOf(settings.map(([name]) => name))
  const set = (values: readonly string[]) =>
    ask(client, { text: SET_LOCALLY, values: [names, parameterOf(values)], types: TEXTS } as pg.QueryConfig)
  const turn = async () => {
    const { rows } = await ask(client, { text: SETTINGS, values: [names] })
    const [before] = rows as [{ readonly settings: readonly string[] }]
    await set(settings.map(([, value]) => value))
    try {
      const result = await ask(client, query)
      await set(before.settings)
      return result
    } catch (error) {
      // The transaction goes on if Postgres did not refuse. Otherwise nothing has to be restored.
      if (sqlStateOf(error) === undefined) await set(before.settings).catch(() => undefined)
      throw error
    }
  }
  const asked = (turns.get(client) ?? Promise.resolve()).then(turn)
  // The caller hears of a failure. The next turn begins in any case.
  const over = asked.catch(() => undefined)
  turns.set(client, over)
  return asked
}
