/** Checks on a real Postgres: what a source writes, for whom, and what is left when it is rolled back. */
import { isDeepStrictEqual } from 'node:util'
import { createBus, encodeJson, isOutbusError, withTransaction } from '@outbus/core'
import type { AnySource, Context } from '@outbus/core'
import pino from 'pino'
import { useTestBus } from '../test-bus.ts'
import type { TestBus } from '../test-bus.ts'
import { useTestDatabase } from '../vitest.ts'
import type { ServiceEvent } from './pure.ts'
import type { Problems, SourceSamples } from './samples.ts'
import { shown } from './samples.ts'

type AnySamples = SourceSamples<AnySource>
type Call = (api: unknown) => Promise<unknown>

const callsOf = (calls: object | undefined) => Object.entries((calls ?? {}) as Record<string, Call>)
const verbsAt = (cx: Context, source: AnySource) => (cx as unknown as Record<string, object>)[source.name] as object

/** A bus with the source, and a trigger of its own for each sample of a filter. */
async function busWith(source: AnySource, samples: AnySamples, app = 'test'): Promise<TestBus> {
  const tested: TestBus = await useTestBus({ sources: [source], app })
  for (const filter of samples.filters) await tested.capture(source.name, filter)
  return tested
}

/** Ten buses migrate at once, and once more, and all of them find the schema that they need. */
export async function checkMigrations(source: AnySource): Promise<Problems> {
  const db = await useTestDatabase()
  const problems: Problems = []
  const migrateAndStop = async () => {
    const bus = await createBus({ database: db.url, sources: [source], log: pino({ level: 'silent' }) })
    try {
      await bus.migrate()
      await bus.checkSchema()
    } finally {
      await bus.stop({ graceMs: 0 })
    }
  }
  for (const times of [10, 1]) {
    const settled = await Promise.allSettled(Array.from({ length: times }, migrateAndStop))
    for (const one of settled) if (one.status === 'rejected') problems.push(`migrating: ${reasonOf(one.reason)}`)
  }
  return problems
}

/** What a handler receives is what `serialize` gave. */
export async function checkRoundTrip(source: AnySource, samples: AnySamples): Promise<Problems> {
  const { cx, emitted } = await busWith(source, samples)
  const problems: Problems = []
  for (const event of samples.events as readonly ServiceEvent[]) {
    const before = (await emitted()).length
    const { deliveries } = await cx.emit(source.name, event)
    const written = (await emitted()).slice(before)
    const { op, ...carried } = event
    const parsed = { op, ...source.events[op]?.parse(carried) }
    const expected: unknown = JSON.parse(encodeJson(source.serialize(parsed)))
    if (deliveries !== written.length || written.some((one) => !isDeepStrictEqual(one, expected)))
      problems.push(`${shown(event)}: serialize gave ${shown(expected)}, and ${shown(written)} came back`)
  }
  return problems
}

/** Each verb that writes, in a transaction that is rolled back: the database is as it was. */
export async function checkTransactions(source: AnySource, samples: AnySamples): Promise<Problems> {
  const { cx, db } = await busWith(source, samples)
  const problems: Problems = []
  const named = new Set([...callsOf(samples.writes), ...callsOf(samples.reads)].map(([verb]) => verb))
  for (const verb of Object.keys(verbsAt(cx, source)))
    if (!named.has(verb)) problems.push(`no sample calls the verb ${verb}: name it in writes or in reads`)
  for (const [verb, call] of callsOf(samples.writes)) {
    const before = await contents(db.pool)
    let within: unknown
    const undone = withTransaction(db.pool, async (tx) => {
      try {
        await call(verbsAt(cx.with(tx), source))
        within = await contents(tx)
      } catch (error) {
        problems.push(`${verb} threw in a transaction: ${reasonOf(error)}`)
      }
      throw ROLL_BACK
    })
    await undone.catch((error: unknown) => {
      if (error !== ROLL_BACK) throw error
    })
    if (!isDeepStrictEqual(await contents(db.pool), before))
      problems.push(
        `${verb} left something behind in a transaction that was rolled back: it writes on another connection`,
      )
    else if (within !== undefined && isDeepStrictEqual(within, before))
      problems.push(`${verb} wrote nothing: a sample of a verb that writes has to, or belongs in reads`)
  }
  return problems
}

const ROLL_BACK = new Error('rolled back')

/** What one app writes, another neither gets nor sees. */
export async function checkIsolation(source: AnySource, samples: AnySamples): Promise<Problems> {
  const { bus, cx, db } = await busWith(source, samples)
  const other = bus.context({ app: 'other' })
  const problems: Problems = []
  const readAll = async () => {
    const answers: Record<string, unknown> = {}
    for (const [verb, call] of callsOf(samples.reads)) {
      answers[verb] = await call(verbsAt(other, source)).catch((error: unknown) => `threw ${reasonOf(error)}`)
    }
    return answers
  }
  const before = await readAll()
  for (const [verb, call] of callsOf(samples.writes)) {
    await call(verbsAt(cx, source)).catch((error: unknown) => problems.push(`${verb} threw: ${reasonOf(error)}`))
    const after = await readAll()
    for (const [read, answer] of Object.entries(before))
      if (!isDeepStrictEqual(after[read], answer))
        problems.push(`after ${verb} of one app, ${read} of another answers otherwise`)
  }
  for (const event of samples.events) await cx.emit(source.name, event)
  const { rows } = await db.pool.query<{ app: string }>(
    `select distinct app_id as app from outbus.outbox where app_id <> 'test'`,
  )
  for (const { app } of rows) problems.push(`an event of the app test made a row for the app ${app}`)
  for (const event of samples.events) {
    const { deliveries } = await other.emit(source.name, event)
    if (deliveries > 0) problems.push(`an event of the app other matched triggers of the app test: ${shown(event)}`)
  }
  return problems
}

const circular: Record<string, unknown> = {}
circular['self'] = circular

/** Of the catalogue, what no member of any event may be. */
const BAD_VALUES: readonly (readonly [what: string, value: unknown])[] = [
  ['a NUL', 'a\0b'],
  ['half of a surrogate pair', '\ud800'],
  ['a bigint', 1n],
  ['NaN', Number.NaN],
  ['an unsafe integer', 2 ** 53],
  ['a function', () => {}],
  ['a symbol', Symbol('s')],
  ['a Map', new Map()],
  ['an invalid Date', new Date(Number.NaN)],
  ['something circular', circular],
  ['something with a reserved key', JSON.parse('{"__proto__":1}') as unknown],
  ['256 KB and more', 'x'.repeat(300_000)],
]

/** Each member of each event, made bad: refused with a code and a path, or as harmless as any other; never an error of Postgres. */
export async function checkBadInput(source: AnySource, samples: AnySamples): Promise<Problems> {
  const { cx, db } = await busWith(source, samples)
  const problems = new Set<string>()
  const rows = async () => (await db.pool.query('select from outbus.outbox')).rowCount
  for (const event of samples.events as readonly ServiceEvent[]) {
    for (const member of Object.keys(event).filter((name) => name !== 'op')) {
      for (const [what, value] of BAD_VALUES) {
        const before = await rows()
        const bad = { ...event, [member]: value }
        const error: unknown = await cx.emit(source.name, bad).then(
          () => undefined,
          (thrown: unknown) => thrown,
        )
        if (error === undefined) {
          if (reachesSource(source, bad)) problems.add(`${what} as ${member} of ${event.op} is taken`)
        } else if (!isOutbusError(error)) problems.add(`${what} as ${member} of ${event.op}: ${reasonOf(error)}`)
        else if ((await rows()) !== before)
          problems.add(`${what} as ${member} of ${event.op} is refused after rows were written`)
      }
    }
  }
  return [...problems]
}

/** Whether the source sees the bad member: what its serializer makes of it then is another value than the one that was emitted. */
function reachesSource(source: AnySource, { op, ...carried }: ServiceEvent): boolean {
  const parsed = source.events[op]?.safeParse(carried)
  try {
    encodeJson(parsed?.data)
    return false
  } catch {
    // It does, and was taken all the same.
    return true
  }
}

interface Queryable {
  query(text: string): Promise<{ rows: unknown[] }>
}

/** What is in every table of the schema, as one hash each. Sequences go on whatever is rolled back. */
async function contents(on: Queryable): Promise<Record<string, string>> {
  const { rows } = await on.query(
    `select quote_ident(relname) as name from pg_class
     where relnamespace = 'outbus'::regnamespace and relkind in ('r', 'p') and not relispartition and relname <> 'dispatchers'
     order by relname`,
  )
  const hashes: Record<string, string> = {}
  for (const { name } of rows as { name: string }[]) {
    const hash = `select coalesce(md5(string_agg(t::text, ',' order by t::text)), '') as hash from outbus.${name} t`
    const [row] = (await on.query(hash)).rows as [{ hash: string }]
    hashes[name] = row.hash
  }
  return hashes
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
