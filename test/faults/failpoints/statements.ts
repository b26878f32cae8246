/**
 * What the bus of this process says to Postgres, seen and changed on its way: `pg.Client.prototype.query`, wrapped. Pools and
 * pipelined connections end up there too. Statements are told by their whole text, so that none is taken for another one.
 */
import pg from 'pg'
import { inCatalog } from '../../../core/src/postgres/in-catalog.ts'
import type { Statement } from '../../../core/src/contract/statement.ts'

export type AnyStatement = Statement<readonly unknown[], unknown>

/** One query, before it is sent. */
export interface Sent {
  readonly client: pg.Client
  /** The statement as it was asked for, whatever is sent instead. */
  readonly original: string
  /** What is sent. May be replaced. */
  text: string
}

/** Called before each query is sent; what it returns is called with the answer, before whoever asked gets it. */
export type Watch = (sent: Sent) => ((result: pg.QueryResult) => void | Promise<void>) | undefined

type Query = (this: pg.Client, ...args: unknown[]) => unknown
type Callback = (error: unknown, result?: pg.QueryResult) => void

const SCHEMA = '{schema}'
const watches: Watch[] = []

export function watchStatements(watch: Watch): void {
  assertRunsFromSource()
  if (watches.push(watch) > 1) return
  const prototype = pg.Client.prototype as unknown as { query: Query }
  const { query } = prototype
  prototype.query = function (...args) {
    return watched(this, query, args)
  }
}

/** Which schema `text` is about, quoted, if it is the text of `stated`. */
export function schemaIn(text: string, stated: AnyStatement): string | undefined {
  const before = inCatalog(stated.text).indexOf(SCHEMA)
  if (before < 0) throw new Error(`${stated.name} has no schema in it: it cannot be told from other texts`)
  const schema = /^"[^"]*"/.exec(text.slice(before))?.[0]
  return schema !== undefined && textIn(schema, stated.text) === text ? schema : undefined
}

/** As core binds it. */
export function textIn(schema: string, text: string): string {
  return inCatalog(text).replaceAll(SCHEMA, schema)
}

/** One of these, if `text` is its text; each text is looked at once. */
export function recognizer(among: Iterable<AnyStatement>): (text: string) => AnyStatement | undefined {
  const all = [...among]
  const known = new Map<string, AnyStatement | undefined>()
  return (text) => {
    if (!known.has(text)) {
      known.set(
        text,
        all.find((stated) => schemaIn(text, stated) !== undefined),
      )
    }
    return known.get(text)
  }
}

function watched(client: pg.Client, query: Query, args: readonly unknown[]): unknown {
  const [config] = args
  const text = typeof config === 'string' ? config : (config as { text?: unknown } | null)?.text
  // A query object of somebody's own, which core has none of; `pg` itself refuses what is no query at all.
  if (typeof text !== 'string' || typeof (config as { submit?: unknown }).submit === 'function')
    return query.apply(client, [...args])
  const sent: Sent = { client, original: text, text }
  const ends = watches.map((watch) => watch(sent)).filter((end) => end !== undefined)
  const changed = typeof config === 'string' ? sent.text : { ...(config as object), text: sent.text }
  const rest = args.slice(1)
  const callbackAt = rest.findLastIndex((argument) => typeof argument === 'function')
  if (ends.length === 0) return query.apply(client, [changed, ...rest])
  const end = async (result: pg.QueryResult) => {
    for (const each of ends) await each(result)
    return result
  }
  if (callbackAt < 0) return (query.apply(client, [changed, ...rest]) as Promise<pg.QueryResult>).then(end)
  const asker = rest[callbackAt] as Callback
  rest[callbackAt] = (error: unknown, result?: pg.QueryResult) => {
    if (error === null || error === undefined) void tell(asker, () => end(result as pg.QueryResult))
    else asker(error)
  }
  return query.apply(client, [changed, ...rest])
}

/** Answers a caller that asked with a callback. */
async function tell(asker: Callback, end: () => Promise<pg.QueryResult>): Promise<void> {
  let result: pg.QueryResult
  try {
    result = await end()
  } catch (error) {
    // What a watch did about the answer failed; to the caller it is the query's error.
    asker(error)
    return
  }
  asker(undefined, result)
}

/** What is imported here from core's sources has to be what the bus of this process is made of. */
function assertRunsFromSource(): void {
  const bus = import.meta.resolve('@outbus/core')
  const source = new URL('../../../core/src/index.ts', import.meta.url).href
  if (bus !== source) throw new Error(`the bus comes from ${bus}, not from its source: node --conditions=outbus-source`)
}
