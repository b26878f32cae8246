import { statement } from '../../postgres/statement.ts'

/**
 * Caller: LaneNote, in the claim's transaction, if noted rows are still there. So the note goes exactly when the claim
 * settles. Otherwise the next note replaces it, or a lane that ends or finds nothing clears it.
 */
export const clearNote = statement<[laneId: string, lowestIds: readonly number[]], never>(
  'clear_note',
  `delete from {schema}.claim_notes where lowest_id = any ($2::bigint[]) and lane_id = $1`,
)
