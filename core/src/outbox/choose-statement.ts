/** Chooses the statement that writes the rows of events. Pure. */
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import type { Switches } from '../switches/switches.ts'
import type { PreparedEvent } from './prepare.ts'
import { areUniform } from './uniform.ts'

/**
 * - `one`: a plain insert, for one event and one trigger.
 * - `uniform`: for events that differ only in their ids and content, and match the same triggers.
 * - `rows`: for any events, which wait for no other transaction.
 * - `rows-waiting`: `rows`, and some event takes a dedupe key or a place in line.
 * - `epochs`: no row is to be written, so only the index's age is checked.
 */
export type EmitStatement = 'one' | 'uniform' | 'rows' | 'rows-waiting' | 'epochs'

/** `hasWrite`: the statement writes a source's own rows too, whatever the events match. */
export function chooseStatement(
  events: readonly PreparedEvent[],
  matched: readonly (readonly IndexedTrigger[])[],
  hasWrite: boolean,
): EmitStatement {
  if (areUniform(events, matched)) {
    const triggers = (matched[0] ?? []).length
    if (hasWrite) return 'uniform'
    if (triggers === 0) return 'epochs'
    return events.length === 1 && triggers === 1 ? 'one' : 'uniform'
  }
  for (let i = 0; i < events.length; i++) {
    const { dedupeKey, replyTo } = events[i] as PreparedEvent
    if (dedupeKey !== null || (replyTo === null && matched[i]?.some(({ ordered }) => ordered) === true))
      return 'rows-waiting'
  }
  return hasWrite || matched.some((triggers) => triggers.length > 0) ? 'rows' : 'epochs'
}

export type ChooseStatement = typeof chooseStatement

/** The choice among the statements that are switched on. */
export function chooserOf({ uniform, oneRow }: Pick<Switches, 'uniform' | 'oneRow'>): ChooseStatement {
  if (uniform && oneRow) return chooseStatement
  return (events, matched, hasWrite) => {
    const chosen = chooseStatement(events, matched, hasWrite)
    if (chosen === 'one' && !oneRow) return uniform ? 'uniform' : 'rows'
    return chosen === 'uniform' && !uniform ? 'rows' : chosen
  }
}
