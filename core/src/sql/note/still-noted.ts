import { statement } from '../../postgres/statement.ts'

/**
 * Caller: LaneNote, of ids that a note names which was committed with its row, by a lane that does not hold the lock of it any more. Whoever
 * takes such a note back gives the lock up after that: between the two looks of one statement, perhaps. What is still noted now,
 * by a later look, was started.
 */
export const stillNoted = statement<[ids: readonly string[]], { id: string }>(
  'still_noted',
  `select lowest_id::text as id from {schema}.claim_notes where lowest_id = any ($1::bigint[]) and unclaimed_lock is not null`,
)
