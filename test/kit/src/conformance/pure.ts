/** Checks that need no database: what the pure members of a source answer. */
import { isDeepStrictEqual } from 'node:util'
import { encodeJson } from '@outbus/core'
import type { AnySource } from '@outbus/core'
import fc from 'fast-check'
import type { Problems, SourceSamples } from './samples.ts'
import { shown } from './samples.ts'

export type ServiceEvent = { readonly op: string } & Record<string, unknown>

/** Undefined where the source's schema refuses it. */
function parseEvent(source: AnySource, { op, ...carried }: ServiceEvent): ServiceEvent | undefined {
  const parsed = source.events[op]?.safeParse(carried)
  return parsed?.success === true ? { op, ...parsed.data } : undefined
}

function parseFilter(source: AnySource, filter: unknown): { readonly filter: unknown } | undefined {
  const parsed = source.filter.safeParse(filter)
  return parsed.success ? { filter: parsed.data } : undefined
}

function parsedSamples(source: AnySource, samples: SourceSamples<AnySource>) {
  const events = (samples.events as readonly ServiceEvent[]).flatMap((event) => parseEvent(source, event) ?? [])
  const filters = samples.filters.flatMap((filter) => parseFilter(source, filter) ?? [])
  return { events, filters }
}

/** The samples themselves: they have to say something, or every other check passes without having looked. */
export function checkSamples(source: AnySource, samples: SourceSamples<AnySource>): Problems {
  const problems: Problems = []
  for (const event of samples.events as readonly ServiceEvent[])
    if (parseEvent(source, event) === undefined) problems.push(`the sample ${shown(event)} is refused by its schema`)
  for (const filter of samples.filters)
    if (parseFilter(source, filter) === undefined) problems.push(`the filter ${shown(filter)} is refused by its schema`)
  for (const op of Object.keys(source.events))
    if (!samples.events.some((event) => (event as ServiceEvent).op === op)) problems.push(`no sample has the op ${op}`)
  if (samples.filters.length === 0) problems.push('there is no sample of a filter')
  if (problems.length > 0) return problems
  const { events, filters } = parsedSamples(source, samples)
  const answers = filters.flatMap(({ filter }) => events.map((event) => decides(source, event, filter)))
  if (!answers.includes(true)) problems.push('no sample of an event is matched by any sample of a filter')
  if (!answers.includes(false)) problems.push('every sample of an event is matched by every sample of a filter')
  return problems
}

/** What core decides: the pattern, where the source says what its content is, and then the source's own matcher. */
function decides(source: AnySource, event: ServiceEvent, filter: unknown): unknown {
  const pattern = (filter as { pattern?: { test(content: unknown): boolean } } | undefined)?.pattern
  if (source.content !== undefined && pattern !== undefined) {
    const content: unknown = source.content(event)
    if (content === undefined || !pattern.test(content)) return false
  }
  return source.matches({ event, filter })
}

const PURE = {
  keysOf: (source: AnySource, event: ServiceEvent) => source.keysOf(event),
  serialize: (source: AnySource, event: ServiceEvent) => source.serialize(event),
  content: (source: AnySource, event: ServiceEvent) => source.content?.(event),
  orderingKey: (source: AnySource, event: ServiceEvent) => source.orderingKey?.(event),
}
const PURE_WITH_FILTER = {
  matches: (source: AnySource, event: ServiceEvent, filter: unknown) => source.matches({ event, filter }),
  rank: (source: AnySource, event: ServiceEvent, filter: unknown) => source.rank?.({ event, filter }),
  keys: (source: AnySource, _event: ServiceEvent, filter: unknown) => source.keys(filter),
  bind: (source: AnySource, event: ServiceEvent, filter: unknown) =>
    source.bind?.({ event: source.serialize(event), filter }),
}

/** Asked twice, on frozen arguments, without a clock and without chance: the same answer. */
export function checkPurity(source: AnySource, samples: SourceSamples<AnySource>): Problems {
  const problems = new Set<string>()
  const { events, filters } = parsedSamples(source, samples)
  const twice = (member: string, ask: () => unknown) => {
    const used = new Set<string>()
    try {
      const [one, other] = watchingImpurity(used, () => [ask(), ask()])
      if (one instanceof Promise) problems.add(`${member} is asynchronous`)
      else if (!isDeepStrictEqual(one, other)) problems.add(`${member} answers the same question differently`)
    } catch (error) {
      const frozen =
        error instanceof TypeError && /read only|not extensible|Cannot (delete|add|assign)/.test(error.message)
      problems.add(frozen ? `${member} changes what it is given` : `${member} threw ${String(error)}`)
    }
    for (const name of used) problems.add(`${member} uses ${name}`)
  }
  for (const event of events) {
    freeze(event)
    for (const [member, ask] of Object.entries(PURE)) twice(member, () => ask(source, event))
    for (const { filter } of filters) {
      freeze(filter)
      for (const [member, ask] of Object.entries(PURE_WITH_FILTER)) twice(member, () => ask(source, event, filter))
    }
  }
  return [...problems]
}

/** What may not be asked for in between. */
function watchingImpurity<T>(used: Set<string>, work: () => T): T {
  const originals = { random: Math.random, now: Date.now, performanceNow: performance.now.bind(performance) }
  Math.random = () => {
    used.add('Math.random')
    return originals.random()
  }
  Date.now = () => {
    used.add('Date.now')
    return originals.now()
  }
  performance.now = () => {
    used.add('performance.now')
    return originals.performanceNow()
  }
  try {
    return work()
  } finally {
    Math.random = originals.random
    Date.now = originals.now
    performance.now = originals.performanceNow
  }
}

/** Plain values only: what a schema made of a filter may keep state of its own. */
function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && !Array.isArray(value)) return
  Object.freeze(value)
  for (const member of Object.values(value)) freeze(member)
}

/** Whatever matches has a key in common, or the index would pass it by; over the samples and what can be made of them. */
export function checkSoundness(source: AnySource, samples: SourceSamples<AnySource>): Problems {
  const { events, filters } = variedSamples(source, samples)
  const problems: Problems = []
  const property = fc.property(fc.constantFrom(...events), fc.constantFrom(...filters), (event, filter) => {
    const parsedEvent = parseEvent(source, event)
    const parsedFilter = parseFilter(source, filter)
    if (parsedEvent === undefined || parsedFilter === undefined) return true
    const keys = new Set(source.keys(parsedFilter.filter))
    const found = source.keysOf(parsedEvent)
    if (decides(source, parsedEvent, parsedFilter.filter) !== true || found.some((key) => keys.has(key))) return true
    problems.push(
      `${shown(filter)} matches ${shown(event)}, but keys gives ${shown([...keys])} and keysOf ${shown(found)}: the index would pass it by`,
    )
    return false
  })
  fc.check(property, { numRuns: 2_000, endOnFailure: true })
  return problems.slice(0, 1)
}

/** The samples, and what they become by taking texts from one another, whole, cut and joined. */
function variedSamples(source: AnySource, samples: SourceSamples<AnySource>) {
  const texts = new Set<string>(['a', 'A', 'ab', '*', 'é🎉'])
  collectTexts([samples.events, samples.filters], texts)
  const events = (samples.events as readonly ServiceEvent[]).flatMap((event) => [event, ...variants(event, texts)])
  const filters = samples.filters.flatMap((filter) => [filter, ...variants(filter, texts)])
  const known = events.filter((event) => parseEvent(source, event) !== undefined)
  return { events: known, filters: filters.filter((filter) => parseFilter(source, filter) !== undefined) }
}

function collectTexts(value: unknown, texts: Set<string>): void {
  if (typeof value === 'string' && value.length <= 64) {
    texts.add(value)
    texts.add(value.slice(0, Math.ceil(value.length / 2)))
    texts.add(`${value}x`)
  } else if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(value)) collectTexts(inner, texts)
}

/** Each with one text replaced, or one member left out. */
function variants<T>(value: T, texts: ReadonlySet<string>): T[] {
  if (typeof value === 'string') return [...texts] as T[]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => {
    if (name === 'op') return []
    const { [name]: _left, ...without } = value as Record<string, unknown>
    const copy = (changed: unknown) =>
      (Array.isArray(value) ? value.with(Number(name), changed) : { ...value, [name]: changed }) as T
    return [...(Array.isArray(value) ? [] : [without as T]), ...variants(inner, texts).map(copy)]
  })
}

/** A misspelt member is refused, not dropped in silence. */
export function checkStrictness(source: AnySource, samples: SourceSamples<AnySource>): Problems {
  const problems = new Set<string>()
  for (const event of samples.events as readonly ServiceEvent[])
    if (parseEvent(source, { ...event, unknownMember: 1 }) !== undefined)
      problems.add(`events.${event.op} takes a member that it does not know: z.strictObject refuses it`)
  for (const filter of samples.filters)
    if (parseFilter(source, { ...(filter as object), unknownMember: 1 }) !== undefined)
      problems.add('filter takes a member that it does not know: z.strictObject refuses it')
  return [...problems]
}

/** Older trigger events are read, and what comes of them is JSON. */
export function checkUpcast(source: AnySource, samples: SourceSamples<AnySource>): Problems {
  const { older = [] } = samples
  if (source.version === 1) return older.length === 0 ? [] : ['version 1 has no older one: leave `older` out']
  if (source.upcast === undefined) return [`version ${source.version} has no upcast: rows in flight would fail`]
  const problems: Problems = []
  for (let from = 1; from < source.version; from++)
    if (!older.some((one) => one.from === from)) problems.push(`no sample of a trigger event of version ${from}`)
  for (const { from, event } of older) {
    try {
      const [one, other] = [0, 1].map(() =>
        encodeJson(source.upcast?.({ event: structuredClone(event) as never, from })),
      )
      if (one !== other) problems.push(`upcast from version ${from} answers the same question differently`)
    } catch (error) {
      problems.push(`upcast from version ${from} of ${shown(event)}: ${String(error)}`)
    }
  }
  return problems
}
