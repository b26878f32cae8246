/** Why a trigger matches an event, or does not: by the clauses of its filter. */
import type { AnySource } from '../source.ts'
import { patternOf } from './filed-trigger.ts'
import type { Trigger, Triggers } from './trigger.ts'

/** One trigger's answer to an event. */
export interface Explanation {
  readonly trigger: { readonly id: string; readonly name: string; readonly source: string }
  /** An emit of the event would write a row for it. */
  readonly matched: boolean
  /**
   * Where it failed: `enabled`, `source`, or clauses of the filter such as `filter.ops`. Empty when it matched; the one
   * entry `filter` where no clause fails by itself, or the source cannot read the filter.
   */
  readonly failed: readonly string[]
}

export type ExplainedTrigger = Pick<Trigger, 'id' | 'name' | 'source' | 'filter' | 'enabled'>

const AT_A_TIME = 1_000

/** All triggers of the app, by name. Reads every one of them: for people and tools, not for a hot path. */
export async function explain(triggers: Triggers, source: AnySource, event: { op: string }): Promise<Explanation[]> {
  const explained: Explanation[] = []
  for (let cursor: string | undefined; ;) {
    const page = await triggers.list({ limit: AT_A_TIME, ...(cursor === undefined ? {} : { cursor }) })
    for (const trigger of page.items) explained.push(explainTrigger(source, event, trigger))
    cursor = page.nextCursor
    if (cursor === undefined) return explained
  }
}

export function explainTrigger(source: AnySource, event: { op: string }, trigger: ExplainedTrigger): Explanation {
  const { id, name } = trigger
  const failed = failuresOf(source, event, trigger)
  return { trigger: { id, name, source: trigger.source }, matched: failed.length === 0, failed }
}

function failuresOf(source: AnySource, event: { op: string }, trigger: ExplainedTrigger): string[] {
  if (trigger.source !== source.name) return ['source']
  const failed = trigger.enabled ? [] : ['enabled']
  if (matches(source, event, trigger.filter) === true) return failed
  const guilty = guiltyClauses(source, event, Object.entries(trigger.filter ?? {})).toSorted()
  return [...failed, ...(guilty.length === 0 ? ['filter'] : guilty.map((clause) => `filter.${clause}`))]
}

type Clauses = readonly (readonly [name: string, value: unknown])[]

/**
 * A clause fails when a filter of it alone does not match; one that cannot stand alone, when it does not match together
 * with those that do.
 */
function guiltyClauses(source: AnySource, event: { op: string }, clauses: Clauses): string[] {
  const matchesWith = (some: Clauses) => matches(source, event, Object.fromEntries(some))
  const alone = clauses.map((clause) => ({ clause, matched: matchesWith([clause]) }))
  const innocent = alone.filter(({ matched }) => matched === true).map(({ clause }) => clause)
  return alone
    .filter(({ clause, matched }) => (matched ?? matchesWith([...innocent, clause])) === false)
    .map(({ clause: [name] }) => name)
}

/** As an emit decides it: undefined where the source refuses the filter. */
function matches(source: AnySource, event: { op: string }, filter: unknown): boolean | undefined {
  const parsed = source.filter.safeParse(filter)
  if (!parsed.success) return undefined
  const keys = new Set(source.keysOf(event))
  return (
    source.keys(parsed.data).some((key) => keys.has(key)) &&
    contentMatches(source, event, parsed.data) &&
    source.matches({ event, filter: parsed.data })
  )
}

function contentMatches(source: AnySource, event: { op: string }, filter: unknown): boolean {
  const pattern = source.content === undefined ? undefined : patternOf(filter)
  if (pattern === undefined) return true
  const content = source.content?.(event)
  return content !== undefined && pattern.test(content)
}
