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
export async function ask(client: Client, query: pg.QueryConfig): Promise<pg.QueryResult> {
  try {
    return await new Promise((resolve, reject) => {
      const returned: unknown = inText(client, (asked) =>
        asked.query({ types: OWN_TYPES, ...query } as pg.QueryConfig, (error: Error | null, result) =>
          error ? reject(error) : resolve(result),
        ),
      )
      // Of somebody's own client around `pg`'s, which knows promises only; or hands the callback on, and promises nothing.
      if (typeof returned === 'object' && returned !== null && 'then' in returned)
        (returned as Promise<pg.QueryResult | undefined>).then((result) => result && resolve(result), reject)
    })
  } catch (error) {
    tellHolder(client, error)
    throw error
  }
}

/** A client that is to get its results in binary has that added to each query, in the moment in which it is asked. */
function inText(client: Client, asking: (client: pg.ClientBase) => unknown): unknown {
  const switched = client as pg.ClientBase & { binary?: boolean }
  if (!switched.binary) return asking(switched)
  switched.binary = false
  try {
    return asking(switched)
  } finally {
    switched.binary = true
  }
}

/**
 * Asks how the client's session is set up, once a connection. Undefined where it cannot be asked: in a transaction that has failed,
 * or of something around a client of `pg`.
 */
export async function askSession(client: Client): Promise<Session | undefined> {
  const known = sessionOf(client)
  if (known !== undefined) return known
  const status = statusOf(client)
  if (status === undefined || status === 'E') return undefined
  const { rows } = await ask(client, { ...ASK_SESSION, types: TEXTS } as pg.QueryConfig)
  return learn(client, rows as SettingRow[], client instanceof BusClient)
}
