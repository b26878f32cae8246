/** What the pure members of a source answer: the same, whenever they are asked, and nothing is changed by asking. */
import { isDeepStrictEqual, types } from 'node:util'
import { encodeJson } from '@outbus/core/plugin'
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import { reasonOf } from './calls.ts'
import { freeze, saysFrozen } from './plain.ts'
import type { ServiceEvent } from './pure.ts'
import { parsedSamples } from './pure.ts'
import { sourceOf } from './parts.ts'
import type { Problems, SourceSamples } from './samples.ts'
import { shown } from './samples.ts'
import { Watch } from './watch.ts'

const PURE = {
  keysOf: (source: AnySource, event: ServiceEvent) => source.keysOf?.(event),
  serialize: (source: AnySource, event: ServiceEvent) => source.serialize(event),
  content: (source: AnySource, event: ServiceEvent) => source.content?.(event),
  orderingKey: (source: AnySource, event: ServiceEvent) => source.orderingKey?.(event),
}
const PURE_WITH_FILTER = {
  matches: (source: AnySource, event: ServiceEvent, filter: unknown) => source.matches({ event, filter }),
  rank: (source: AnySource, event: ServiceEvent, filter: unknown) => source.rank?.({ event, filter }),
  keys: (source: AnySource, _event: ServiceEvent, filter: unknown) => source.keys?.(filter),
  bind: (source: AnySource, event: ServiceEvent, filter: unknown) =>
    source.bind?.({ event: freeze(source.serialize(event)), filter }),
}

const HOUR_MS = 3_600_000
/** Twice at the same time, at another hour of the next day, and in another year. */
const CLOCKS_AHEAD_MS = [0, 0, 29 * HOUR_MS, (7 * 365 * 24 + 5) * HOUR_MS]

/** Asked again and again, on frozen arguments, with the clock moved: the same answer, and nobody looked at the clock. */
export function checkPurity(plugin: AnyPlugin, samples: SourceSamples<AnySource>): Problems {
  const source = sourceOf(plugin)
  const problems = new Set<string>()
  const { events, filters } = parsedSamples(source, samples)
  using watch = new Watch()
  const question = (member: string, ask: () => unknown) => {
    const { error } = askAgain(watch, member, ask, problems)
    if (error !== undefined) problems.add(`${member} threw ${reasonOf(error)}`)
  }
  for (const event of events) {
    freeze(event)
    for (const [member, ask] of Object.entries(PURE)) question(member, () => ask(source, event))
    for (const { filter } of filters) {
      freeze(filter)
      for (const [member, ask] of Object.entries(PURE_WITH_FILTER)) question(member, () => ask(source, event, filter))
    }
  }
  return [...problems]
}

function askAgain(
  watch: Watch,
  member: string,
  ask: () => unknown,
  problems: Set<string>,
): { readonly answer?: unknown; readonly error?: unknown } {
  const answers: unknown[] = []
  try {
    for (const aheadMs of CLOCKS_AHEAD_MS) {
      const { answer, used } = watch.during(aheadMs, ask)
      answers.push(answer)
      for (const name of used) problems.add(`${member} uses ${name}`)
    }
  } catch (error) {
    if (!saysFrozen(error)) return { error }
    problems.add(`${member} changes what it is given`)
    return {}
  }
  const [answer, ...again] = answers
  if (types.isPromise(answer)) problems.add(`${member} is asynchronous`)
  else if (again.some((other) => !isDeepStrictEqual(answer, other)))
    problems.add(`${member} answers the same question differently`)
  return { answer }
}

/** Older trigger events are read, and what comes of them is JSON: what the author says, where he says it. */
export function checkUpcast(plugin: AnyPlugin, samples: SourceSamples<AnySource>): Problems {
  const source = sourceOf(plugin)
  const { older = [] } = samples
  if (source.version === 1) return older.length === 0 ? [] : ['version 1 has no older one: leave `older` out']
  if (source.upcast === undefined) return [`version ${source.version} has no upcast: rows in flight would fail`]
  const problems = new Set<string>()
  for (let from = 1; from < source.version; from++)
    if (!older.some((one) => one.from === from)) problems.add(`no sample of a trigger event of version ${from}`)
  using watch = new Watch()
  for (const { from, event, ...expected } of older) {
    const given = freeze(structuredClone(event)) as never
    const member = `upcast from version ${from}`
    const { answer, error } = askAgain(watch, member, () => source.upcast?.({ event: given, from }), problems)
    if (error !== undefined) problems.add(`${member} of ${shown(event)}: ${reasonOf(error)}`)
    else if (!problems.has(`${member} changes what it is given`))
      problems.add(problemWith(member, event, answer, expected))
  }
  problems.delete('')
  return [...problems]
}

/** Empty: none. */
function problemWith(
  member: string,
  event: unknown,
  answer: unknown,
  expected: { readonly becomes?: unknown },
): string {
  try {
    const read: unknown = JSON.parse(encodeJson(answer))
    return !('becomes' in expected) || isDeepStrictEqual(read, expected.becomes)
      ? ''
      : `${member} makes ${shown(read)} of ${shown(event)}, and not ${shown(expected.becomes)}`
  } catch (error) {
    return `${member} of ${shown(event)}: ${String(error)}`
  }
}
