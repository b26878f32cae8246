import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Lane, inside the claim's own transaction, where rows that the note names are still there: the note goes exactly when
 * the claim is settled. Where none is, the next note takes its place; a lane that finds nothing, or ends, clears it then.
 */
export const clearNote = statement<[laneId: string, lowestIds: readonly number[]], never>(
  'clear_note',
  `delete from {schema}.claim_notes where lowest_id = any ($2::bigint[]) and lane_id = $1`,
)
