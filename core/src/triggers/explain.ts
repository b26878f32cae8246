/** Says which clauses of a trigger's filter an event fails. */
import { reasonOf } from '../contract/thrown.ts'
import { keysOfEvent, keysOfFilter } from '../contract/ask-source.ts'
import type { JsonValue } from '../contract/json.ts'
import { nested } from '../patterns/nested.ts'
import { withinSteps } from '../patterns/steps.ts'
import { inSlices } from '../time/slices.ts'
import type { AnySource } from '../contract/source.ts'
import { parseWith } from '../validation/zod-error.ts'
import { patternOf } from './filed-trigger.ts'
import type { Trigger, Triggers } from './trigger.ts'

export interface Explanation {
  readonly trigger: { readonly id: string; readonly name: string; readonly source: string }
  /** Whether an emit of the event would write a row for it. */
  readonly matched: boolean
  /**
   * What failed: `enabled`, `source`, or clauses such as `filter.ops`. Empty if the trigger matched. The single entry
   * `filter` if no clause fails by itself, or the source cannot read the filter.
   */
  readonly failed: readonly string[]
  /**
   * Why this process cannot read the filter; absent if it can. The process then refuses to emit events with one of the
   * trigger's keys, because it cannot tell whether the trigger matches.
   */
  readonly problem?: string
}

export type ExplainedTrigger = Pick<Trigger, 'id' | 'name' | 'source' | 'filter' | 'enabled'>

const AT_A_TIME = 1_000

/** Explains all triggers of the app, by name. It reads each one, so it is for people and tools. */
export async function explain(triggers: Triggers, source: AnySource, event: { op: string }): Promise<Explanation[]> {
  const explained: Explanation[] = []
  const asked = askedOf(source, event)
  for (let cursor: string | undefined; ;) {
    const page = await triggers.list({ limit: AT_A_TIME, ...(cursor === undefined ? {} : { cursor }) })
    await inSlices(page.items, (trigger) => void explained.push(explainTrigger(source, event, trigger, asked)))
    cursor = page.nextCursor
    if (cursor === undefined) return explained
  }
}

/** An event's answers, computed once for all triggers and clauses. */
interface Asked {
  readonly event: { op: string }
  readonly keys: ReadonlySet<string>
  content(): JsonValue | undefined
}

function askedOf(source: AnySource, event: { op: string }): Asked {
  let content: { readonly value: JsonValue | undefined } | undefined
  return {
    event,
    keys: new Set(keysOfEvent(source, event)),
    content: () => (content ??= { value: contentOf(source, event) }).value,
  }
}

function contentOf(source: AnySource, event: { op: string }): JsonValue | undefined {
  const content = source.content?.(event)
  return content === undefined ? undefined : nested(content)
}

export function explainTrigger(
  source: AnySource,
  event: { op: string },
  trigger: ExplainedTrigger,
  asked: Asked = askedOf(source, event),
): Explanation {
  const { id, name } = trigger
  // All clauses count together: an emit that takes more steps is refused with the same error.
  const failed = withinSteps(() => failuresOf(source, asked, trigger))
  const problem = trigger.source === source.name ? problemOfFilter(source, trigger.filter) : undefined
  const answer = { trigger: { id, name, source: trigger.source }, matched: failed.length === 0, failed }
  return problem === undefined ? answer : { ...answer, problem }
}

/** Why the source cannot read a stored filter; undefined if it can. */
export function problemOfFilter(source: AnySource, filter: unknown): string | undefined {
  try {
    parseWith(source.filter, filter, {
      code: 'trigger.invalid',
      what: `filter of source ${source.name}`,
      path: 'filter',
    })
    return undefined
  } catch (error) {
    // The caller wants the reason as a text.
    return reasonOf(error)
  }
}

function failuresOf(source: AnySource, asked: Asked, trigger: ExplainedTrigger): string[] {
  if (trigger.source !== source.name) return ['source']
  const failed = trigger.enabled ? [] : ['enabled']
  if (matches(source, asked, trigger.filter) === true) return failed
  const guilty = guiltyClauses(source, asked, Object.entries(trigger.filter ?? {})).toSorted()
  return [...failed, ...(guilty.length === 0 ? ['filter'] : guilty.map((clause) => `filter.${clause}`))]
}

type Clauses = readonly (readonly [name: string, value: unknown])[]

/**
 * A clause fails if a filter of it alone does not match. One that cannot stand alone fails if it does not match
 * together with those that do.
 */
function guiltyClauses(source: AnySource, asked: Asked, clauses: Clauses): string[] {
  const matchesWith = (some: Clauses) => matches(source, asked, Object.fromEntries(some))
  const alone = clauses.map((clause) => ({ clause, matched: matchesWith([clause]) }))
  const innocent = alone.filter(({ matched }) => matched === true).map(({ clause }) => clause)
  return alone
    .filter(({ clause, matched }) => (matched ?? matchesWith([...innocent, clause])) === false)
    .map(({ clause: [name] }) => name)
}

/** As an emit decides; undefined if the source refuses the filter. */
function matches(source: AnySource, asked: Asked, filter: unknown): boolean | undefined {
  const parsed = source.filter.safeParse(filter)
  if (!parsed.success) return undefined
  return (
    keysOfFilter(source, parsed.data).some((key) => asked.keys.has(key)) &&
    contentMatches(source, asked, parsed.data) &&
    source.matches({ event: asked.event, filter: parsed.data })
  )
}

function contentMatches(source: AnySource, asked: Asked, filter: unknown): boolean {
  const pattern = source.content === undefined ? undefined : patternOf(filter)
  if (pattern === undefined) return true
  const content = asked.content()
  return content !== undefined && pattern.testNested(content)
}
