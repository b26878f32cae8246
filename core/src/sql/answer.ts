import type pg from 'pg'
import { checkOut, elsewhereIfReadOnly, isPool, tellHolder } from '../postgres/check-out.ts'
import { OWN_TYPES } from '../postgres/types.ts'
import type { Queryable } from './statement.ts'

/**
 * What Postgres answers, read by the bus's own types unless the query brings others. By callback: of the promises that `pg` makes
 * itself, and of its timeout for each statement, V8's young generation keeps the result of one query alive until long after the
 * next ones, and moves it to the old one, rows and all.
 */
export async function answer(on: Queryable, query: pg.QueryConfig): Promise<pg.QueryResult> {
  try {
    const owned = { types: OWN_TYPES, ...query } as pg.QueryConfig
    return isPool(on) ? await elsewhereIfReadOnly(() => answerOfPool(on, owned)) : await answerOfClient(on, owned)
  } catch (error) {
    // It was made where the socket is read. What a reader looks for is who asked.
    if (typeof error === 'object' && error !== null) Error.captureStackTrace(error)
    tellHolder(on, error)
    throw error
  }
}

/** The rows of a query that is no statement of a file: of the catalogue mostly. */
export async function rowsOf<Row>(on: Queryable, text: string, values: unknown[] = []): Promise<Row[]> {
  const { rows } = await answer(on, { text, values })
  return rows as Row[]
}

/** As `pool.query` does it, which has no client to tell how its results are to be sent. */
async function answerOfPool(pool: pg.Pool, query: pg.QueryConfig): Promise<pg.QueryResult> {
  const client = await checkOut(pool)
  try {
    return await answerOfClient(client, query)
  } catch (error) {
    tellHolder(client, error)
    throw error
  } finally {
    client.release()
  }
}

function answerOfClient(on: Queryable, query: pg.QueryConfig): Promise<pg.QueryResult> {
  return new Promise((resolve, reject) => {
    const returned: unknown = inText(on, (client) =>
      client.query(query, (error: Error | null, result) => (error ? reject(error) : resolve(result))),
    )
    // Of somebody's own client around `pg`'s, which knows promises only; or hands the callback on, and promises nothing.
    if (typeof returned === 'object' && returned !== null && 'then' in returned)
      (returned as Promise<pg.QueryResult | undefined>).then((result) => result && resolve(result), reject)
  })
}

/** A client that is to get its results in binary has that added to each query, in the moment in which it is asked. */
function inText(on: Queryable, ask: (client: pg.ClientBase) => unknown): unknown {
  const client = on as pg.ClientBase & { binary?: boolean }
  if (!client.binary) return ask(client)
  client.binary = false
  try {
    return ask(client)
  } finally {
    client.binary = true
  }
}
