/** Checks on a real Postgres: what a source writes, for whom, and what is left when it is rolled back. */
import { isDeepStrictEqual } from 'node:util'
import { createBus, isOutbusError, withTransaction } from '@outbus/core'
import { encodeJson } from '@outbus/core/plugin'
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import pino from 'pino'
import { useTestDatabase } from '../vitest.ts'
import type { AnySamples } from './calls.ts'
import { callsOf, reasonOf, verbsAt } from './calls.ts'
import { BAD_VALUES } from './hostile.ts'
import type { ServiceEvent } from './pure.ts'
import { sourceOf } from './parts.ts'
import type { Problems } from './samples.ts'
import { shown } from './samples.ts'
import { busWith, contents } from './tested.ts'

/** Ten buses migrate at once, and once more, and all of them find the schema that they need. */
export async function checkMigrations(plugin: AnyPlugin): Promise<Problems> {
  const db = await useTestDatabase()
  const problems: Problems = []
  const migrateAndStop = async () => {
    const bus = await createBus({ database: db.adminUrl, plugins: [plugin], log: pino({ level: 'silent' }) })
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
export async function checkRoundTrip(plugin: AnyPlugin, samples: AnySamples): Promise<Problems> {
  const source = sourceOf(plugin)
  const { cx, emitted } = await busWith(plugin, samples)
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
export async function checkTransactions(plugin: AnyPlugin, samples: AnySamples): Promise<Problems> {
  const source = sourceOf(plugin)
  const { cx, db } = await busWith(plugin, samples)
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

/** Each member of each event, made bad: refused with a code and a path, or as harmless as any other; never an error of Postgres. */
export async function checkBadInput(plugin: AnyPlugin, samples: AnySamples): Promise<Problems> {
  const source = sourceOf(plugin)
  const { cx, db } = await busWith(plugin, samples)
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
