/** Checks that need no database: what the samples say, and what the schemas take. */
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import { sourceOf } from './parts.ts'
import type { Problems, SourceSamples } from './samples.ts'
import { shown } from './samples.ts'

export type ServiceEvent = { readonly op: string } & Record<string, unknown>

/** Undefined where the source's schema refuses it. */
export function parseEvent(source: AnySource, { op, ...carried }: ServiceEvent): ServiceEvent | undefined {
  const parsed = source.events[op]?.safeParse(carried)
  return parsed?.success === true ? { op, ...parsed.data } : undefined
}

export function parseFilter(source: AnySource, filter: unknown): { readonly filter: unknown } | undefined {
  const parsed = source.filter.safeParse(filter)
  return parsed.success ? { filter: parsed.data } : undefined
}

export function parsedSamples(source: AnySource, samples: SourceSamples<AnySource>) {
  const events = (samples.events as readonly ServiceEvent[]).flatMap((event) => parseEvent(source, event) ?? [])
  const filters = samples.filters.flatMap((filter) => parseFilter(source, filter) ?? [])
  return { events, filters }
}

/** The samples themselves: they have to say something, or every other check passes without having looked. */
export function checkSamples(plugin: AnyPlugin, samples: SourceSamples<AnySource>): Problems {
  const source = sourceOf(plugin)
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
  if (!takesEverything(source) && !answers.includes(false))
    problems.push('every sample of an event is matched by every sample of a filter')
  return problems
}

/** A filter that has no members cannot be asked to refuse an event. */
function takesEverything({ filter }: AnySource): boolean {
  const { shape } = filter as { readonly shape?: object }
  return shape !== undefined && Object.keys(shape).length === 0
}

/** What core decides: the pattern, where the source says what its content is, and then the source's own matcher. */
export function decides(source: AnySource, event: ServiceEvent, filter: unknown): unknown {
  const pattern = (filter as { pattern?: { test(content: unknown): boolean } } | undefined)?.pattern
  if (source.content !== undefined && pattern !== undefined) {
    const content: unknown = source.content(event)
    if (content === undefined || !pattern.test(content)) return false
  }
  return source.matches({ event, filter })
}

/** A misspelt member is refused, not dropped in silence. */
export function checkStrictness(plugin: AnyPlugin, samples: SourceSamples<AnySource>): Problems {
  const source = sourceOf(plugin)
  const problems = new Set<string>()
  for (const event of samples.events as readonly ServiceEvent[])
    if (parseEvent(source, { ...event, unknownMember: 1 }) !== undefined)
      problems.add(`events.${event.op} takes a member that it does not know: z.strictObject refuses it`)
  for (const filter of samples.filters)
    if (parseFilter(source, { ...(filter as object), unknownMember: 1 }) !== undefined)
      problems.add('filter takes a member that it does not know: z.strictObject refuses it')
  return [...problems]
}
