import type pg from 'pg'
import { BusClient } from './bus-client.ts'
import { tellHolder } from './check-out.ts'
import { ASK_SESSION, learn, sessionOf, statusOf } from './session.ts'
import type { Session, SettingRow } from './session.ts'
import { OWN_TYPES, TEXTS } from './types.ts'

/** Runs one query at a time. */
export type Client = Pick<pg.ClientBase, 'query'>

/**
 * Sends one query as it is, read by the bus's own types unless the query brings others.
 *
 * By callback: through the promises of `pg`, and its timeout for each statement, V8 keeps results alive until they move
 * to the old generation.
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
      // A wrapper of `pg`'s client may know only promises, or hand the callback on.
      if (typeof returned === 'object' && returned !== null && 'then' in returned)
        (returned as Promise<pg.QueryResult | undefined>).then((result) => result && resolve(result), refuse)
    } catch (error) {
      // A client may throw when it is asked, which counts as a failed query.
      refuse(error)
    }
  })
}

function withTypes(query: pg.QueryConfig): pg.QueryConfig {
  return 'types' in query ? query : ({ types: OWN_TYPES, ...query } as pg.QueryConfig)
}

/** A client set to binary results adds that to each query when it is sent. */
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
 * Asks once for each connection how its session is set up, and again after a change. Undefined where that cannot be
 * asked: in a failed transaction, or with a wrapper of a `pg` client.
 */
export async function askSession(client: Client): Promise<Session | undefined> {
  const known = sessionOf(client)
  if (known !== undefined && !(known.ofTransaction && statusOf(client) === 'I')) return known
  const status = statusOf(client)
  if (status === undefined || status === 'E') return undefined
  const { rows } = await ask(client, { ...ASK_SESSION, types: TEXTS } as pg.QueryConfig)
  return learn(client, rows as SettingRow[], client instanceof BusClient)
}
