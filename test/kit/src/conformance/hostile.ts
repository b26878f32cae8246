/** What nobody should store, and what the verbs make of it. */
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import type { TestBus } from '../test-bus.ts'
import type { AnySamples, Call } from './calls.ts'
import { callsOf, intercepted, outcomeOf, upTo } from './calls.ts'
import { sourceOf } from './parts.ts'
import type { Problems } from './samples.ts'
import { isPlain } from './plain.ts'
import { databaseErrorIn } from './refusals.ts'
import { busWith, changedTables, contents, freshApp } from './tested.ts'

const circular: Record<string, unknown> = {}
circular['self'] = circular

const TOO_DEEP = 2_000
let deep: unknown = null
for (let depth = 0; depth < TOO_DEEP; depth++) deep = { deep }

type Hostile = readonly [what: string, value: unknown]

const HOSTILE_TO_VERBS: readonly Hostile[] = [
  ['a NUL', 'a\0b'],
  ['half of a surrogate pair', '\ud800'],
  ['a bigint in an object', { nested: 1n }],
  ['something circular', circular],
  ['something too deep', deep],
  ['256 KB and more', 'x'.repeat(300_000)],
]

/** Of the catalogue, what no member of any event may be. */
export const BAD_VALUES: readonly Hostile[] = [
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

/**
 * Each thing that a sample gives a verb, and what is in it, replaced by each of what is hostile: taken, or refused with an
 * `OutbusError` that is not what Postgres said, before anything is written. And what the author says is bad: refused.
 */
export async function checkBadWrites(plugin: AnyPlugin, samples: AnySamples): Promise<Problems> {
  const source = sourceOf(plugin)
  const tested = await busWith(plugin, samples)
  const problems: Problems = []
  for (const entry of callsOf(samples.writes)) problems.push(...(await hostileTo(source, tested, entry)))
  for (const entry of callsOf(samples.badWrites)) problems.push(...(await badWrite(source, tested, entry)))
  return problems
}

type Entry = readonly [verb: string, sample: Call]

async function hostileTo(source: AnySource, tested: TestBus, entry: Entry): Promise<Problems> {
  const [verb] = entry
  const problems: Problems = []
  const left: { place: Place; hostile: Hostile }[] = []
  await upTo((await freshApp(tested, source)).verbs, entry, (_, args) => {
    for (const place of placesIn(args)) left.push(...HOSTILE_TO_VERBS.map((hostile) => ({ place, hostile })))
  })
  while (left.length > 0) {
    const { verbs } = await freshApp(tested, source)
    // Until one is taken: then the verb is tried on in another app, which the sample has prepared anew.
    const reached = await upTo(verbs, entry, async (call, args) => {
      const before = await contents(tested.db.pool)
      for (let one = left.shift(); one !== undefined; one = left.shift()) {
        const [what, value] = one.hostile
        const { error } = await outcomeOf(() => call(...replaced(args, one.place, value)))
        if (error === undefined) return
        const where = `${verb}, given ${what} in place of ${nameOf(one.place)}`
        const said = databaseErrorIn(error)
        if (said !== undefined) problems.push(`${where}: ${said}`)
        const changed = changedTables(before, await contents(tested.db.pool))
        if (changed.length === 0) continue
        problems.push(`${where} was refused after something was written in ${changed.join(', ')}`)
        return
      }
    })
    if (!reached) break
  }
  return problems
}

async function badWrite(source: AnySource, tested: TestBus, [what, sample]: Entry): Promise<Problems> {
  const { verbs } = await freshApp(tested, source)
  let before = await contents(tested.db.pool)
  // What is called first prepares what is called last.
  const at = intercepted(verbs, undefined, async (call, args) => {
    before = await contents(tested.db.pool)
    return call(...args)
  })
  const { error } = await outcomeOf(() => sample(at))
  if (error === undefined) return [`the bad write ${what} is taken`]
  const said = databaseErrorIn(error)
  if (said !== undefined) return [`the bad write ${what}: ${said}`]
  const changed = changedTables(before, await contents(tested.db.pool))
  return changed.length === 0
    ? []
    : [`the bad write ${what} was refused after something was written in ${changed.join(', ')}`]
}

type Place = readonly (string | number)[]

/** Deeper than this is what the source takes as JSON anyway. */
const MAX_DEPTH = 3

function placesIn(value: unknown, at: Place = []): Place[] {
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return [at]
  if (!isPlain(value) || at.length > MAX_DEPTH) return []
  const members: readonly (readonly [string | number, unknown])[] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value)
  const within = members.flatMap(([name, inner]) => placesIn(inner, [...at, name]))
  // The list of arguments is no argument.
  return at.length === 0 ? within : [at, ...within]
}

function replaced(value: readonly unknown[], place: Place, by: unknown): readonly unknown[]
function replaced(value: unknown, place: Place, by: unknown): unknown
function replaced(value: unknown, [name, ...rest]: Place, by: unknown): unknown {
  if (name === undefined) return by
  const inner = replaced((value as Record<string | number, unknown>)[name], rest, by)
  return Array.isArray(value) ? value.with(Number(name), inner) : { ...(value as object), [name]: inner }
}

function nameOf([argument, ...rest]: Place): string {
  const of = `its argument ${Number(argument) + 1}`
  return rest.length === 0 ? of : `${rest.join('.')} in ${of}`
}
