import { statement } from '../../postgres/statement.ts'

/**
 * Caller: LaneNote, for notes that committed with their row, and whose lock is not held. Whoever takes such a note back
 * lets the lock go afterwards, perhaps between two looks of one statement. What a later look still finds was started.
 */
export const stillNoted = statement<[ids: readonly string[]], { id: string }>(
  'still_noted',
  `select lowest_id::text as id from {schema}.claim_notes where lowest_id = any ($1::bigint[]) and unclaimed_lock is not null`,
)
