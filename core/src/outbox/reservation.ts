/** Takes a dedupe key before its event, for verbs that write something first. */
import { newEventId } from './event-id.ts'
import { findDedupeKey } from '../sql/emit/find-dedupe-key.ts'
import { releaseDedupeKey } from '../sql/emit/release-dedupe-key.ts'
import { reserveDedupeKeyRow } from '../sql/emit/reserve-dedupe-key.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'

export interface DedupeKey {
  readonly app: string
  readonly source: string
  readonly key: string
  readonly windowMs: number
}

export type ReservedKey =
  | { readonly takenBy: string }
  | {
      readonly takenBy: undefined
      /** The id that the event must have. */
      readonly eventId: string
      release(): Promise<void>
    }

/**
 * Runs in the transaction `on`, whose commit makes the key the caller's. Waits for another transaction that holds the
 * key, but not for ever (55P03).
 */
export async function reserveDedupeKey(
  sql: Sql,
  on: Queryable,
  { app, source, key, windowMs }: DedupeKey,
): Promise<ReservedKey> {
  const eventId = newEventId()
  for (;;) {
    const [taken] = await sql.run(on, reserveDedupeKeyRow, [app, source, key, eventId, windowMs])
    if (taken?.free === true) {
      const release = async () => void (await sql.run(on, releaseDedupeKey, [app, source, key, eventId]))
      return { takenBy: undefined, eventId, release }
    }
    const [first] = await sql.run(on, findDedupeKey, [app, source, key])
    // No row: the key's window ended and the key was swept between the two statements, so the key is free now.
    if (first !== undefined) return { takenBy: first.event_id }
  }
}
