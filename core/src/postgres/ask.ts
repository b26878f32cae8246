import type pg from 'pg'
import { BusClient } from './bus-client.ts'
import { tellHolder } from './check-out.ts'
import { ASK_SESSION, learn, sessionOf, statusOf } from './session.ts'
import type { Session, SettingRow } from './session.ts'
import { OWN_TYPES, TEXTS } from './types.ts'

/** Whatever runs a query for one at a time. */
export type Client = Pick<pg.ClientBase, 'query'>

/**
 * One query as it is, in whatever session and transaction the client is; read by the bus's own types unless the query brings others.
 * By callback: of the promises that `pg` makes itself, and of its timeout for each statement, V8's young generation keeps the result
 * of one query alive until long after the next ones, and moves it to the old one, rows and all.
 */
export function ask(client: Client, query: pg.QueryConfig): Promise<pg.QueryResult> {
  return new Promise((resolve, reject) => {
    const refuse = (error: unknown) => {
      tellHolder(client, error)
      reject(error)
    }
    try {
      const returned: unknown = inText(client, withTypes(query), (error, result) =>
        error ? refuse(error) : resolve(result),
      )
      // Of somebody's own client around `pg`'s, which knows promises only; or hands the callback on, and promises nothing.
      if (typeof returned === 'object' && returned !== null && 'then' in returned)
        (returned as Promise<pg.QueryResult | undefined>).then((result) => result && resolve(result), refuse)
    } catch (error) {
      // A client may throw where it is asked: it is a failed query like any other.
      refuse(error)
    }
  })
}

/** A statement of a file brings its types along, and is not copied for them. */
function withTypes(query: pg.QueryConfig): pg.QueryConfig {
  return 'types' in query ? query : ({ types: OWN_TYPES, ...query } as pg.QueryConfig)
}

/** A client that is to get its results in binary has that added to each query, in the moment in which it is asked. */
function inText(
  client: Client,
  query: pg.QueryConfig,
  answered: (error: Error | null, result: pg.QueryResult) => void,
): unknown {
  const switched = client as pg.ClientBase & { binary?: boolean }
  if (!switched.binary) return switched.query(query, answered)
  switched.binary = false
  try {
    return switched.query(query, answered)
  } finally {
    switched.binary = true
  }
}

/**
 * Asks how the client's session is set up, once a connection, and again once it may have changed. Undefined where it cannot be
 * asked: in a transaction that has failed, or of something around a client of `pg`.
 */
export async function askSession(client: Client): Promise<Session | undefined> {
  const known = sessionOf(client)
  if (known !== undefined && !(known.ofTransaction && statusOf(client) === 'I')) return known
  const status = statusOf(client)
  if (status === undefined || status === 'E') return undefined
  const { rows } = await ask(client, { ...ASK_SESSION, types: TEXTS } as pg.QueryConfig)
  return learn(client, rows as SettingRow[], client instanceof BusClient)
}
