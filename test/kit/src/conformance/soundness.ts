/** Whatever matches has a key in common, or the index would pass it by; over the samples and what can be made of them. */
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import fc from 'fast-check'
import type { ServiceEvent } from './pure.ts'
import { decides, parseEvent, parseFilter } from './pure.ts'
import { sourceOf } from './parts.ts'
import type { Problems, SourceSamples } from './samples.ts'
import { shown } from './samples.ts'
import type { Place } from './variants.ts'
import { baseOf, KINDS, placesOf, relatedOf, textsIn, variants } from './variants.ts'

/** Where the source gives no keys, every trigger is filed and every event is looked up under this one. */
const ONE_KEY = ['']

type Pair = readonly [event: ServiceEvent, filter: unknown]

/** Pairs of samples, each with what another sample has in one place. */
const MIXED_RUNS = 2_000
/** Pairs that have the same in one place of each, or nearly: longer, composed otherwise, with a sign at the end, one more. */
const RELATED_RUNS = 8_000

export function checkSoundness(plugin: AnyPlugin, samples: SourceSamples<AnySource>): Problems {
  const source = sourceOf(plugin)
  const problems: Problems = []
  const isSound = ([event, filter]: Pair) => {
    const problem = problemOf(source, event, filter)
    if (problem !== undefined) problems.push(problem)
    return problem === undefined
  }
  const look = (pairs: fc.Arbitrary<Pair>, numRuns: number) => {
    const { failed, errorInstance } = fc.check(fc.property(pairs, isSound), { numRuns, endOnFailure: true })
    if (failed && problems.length === 0) throw errorInstance
  }
  look(mixedPairs(source, samples), MIXED_RUNS)
  if (problems.length === 0) look(relatedPairs(samples), RELATED_RUNS)
  return problems.slice(0, 1)
}

function problemOf(source: AnySource, event: ServiceEvent, filter: unknown): string | undefined {
  const parsedEvent = parseEvent(source, event)
  const parsedFilter = parseFilter(source, filter)
  if (parsedEvent === undefined || parsedFilter === undefined) return undefined
  let member = 'keys'
  try {
    const keys = source.keys?.(parsedFilter.filter) ?? ONE_KEY
    member = 'keysOf'
    const found = source.keysOf?.(parsedEvent) ?? ONE_KEY
    member = 'matches'
    if (decides(source, parsedEvent, parsedFilter.filter) !== true || found.some((key) => keys.includes(key)))
      return undefined
    return `${shown(filter)} matches ${shown(event)}, but keys gives ${shown(keys)} and keysOf ${shown(found)}: the index would pass it by`
  } catch (error) {
    return `${member} threw for the event ${shown(event)} and the filter ${shown(filter)}: ${String(error)}`
  }
}

function mixedPairs(source: AnySource, samples: SourceSamples<AnySource>): fc.Arbitrary<Pair> {
  const texts = new Set<string>(['a', 'A', 'ab', '*', 'é🎉', ...textsIn([samples.events, samples.filters])])
  const events = (samples.events as readonly ServiceEvent[]).flatMap((event) => [event, ...variants(event, texts)])
  const filters = (samples.filters as readonly unknown[]).flatMap((filter) => [filter, ...variants(filter, texts)])
  return fc.tuple(
    fc.constantFrom(...events.filter((event) => parseEvent(source, event) !== undefined)),
    fc.constantFrom(...filters.filter((filter) => parseFilter(source, filter) !== undefined)),
  )
}

function relatedPairs(samples: SourceSamples<AnySource>): fc.Arbitrary<Pair> {
  const known = [samples.events, samples.filters]
  const pairs = (samples.events as readonly ServiceEvent[]).flatMap((event) =>
    samples.filters.map((filter: unknown) => relatedPair([event, filter], known)),
  )
  return fc.oneof(...pairs)
}

/** The pair with the same, or nearly, in one place of each; and now and then in another one. */
function relatedPair([event, filter]: Pair, known: unknown): fc.Arbitrary<Pair> {
  const changes = KINDS.filter((kind) => placesOf(event, kind).length + placesOf(filter, kind).length > 0).map((kind) =>
    fc
      .record({
        ofEvent: somewhere(event, kind),
        ofFilter: somewhere(filter, kind),
        base: baseOf(kind, known),
        related: relatedOf(kind),
      })
      .map(({ ofEvent, ofFilter, base, related }) => ([one, other]: Pair): Pair => [
        ofEvent(one, base) as ServiceEvent,
        ofFilter(other, related(base)),
      ]),
  )
  if (changes.length === 0) return fc.constant([event, filter])
  return fc
    .array(fc.oneof(...changes), { minLength: 1, maxLength: 2 })
    .map((each) => each.reduce<Pair>((pair, change) => change(pair), [event, filter]))
}

/** One place of that kind; now and then, and where there is none, none. */
function somewhere(sample: unknown, kind: (typeof KINDS)[number]): fc.Arbitrary<Place> {
  const places = placesOf(sample, kind)
  const nowhere = fc.constant<Place>((unchanged) => unchanged)
  return places.length === 0
    ? nowhere
    : fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...places) }, { weight: 1, arbitrary: nowhere })
}
