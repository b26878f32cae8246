import { statement } from './statement.ts'

/**
 * Caller: Lane, inside the claim's own transaction, where rows that the note names are still there: the note goes exactly when
 * the claim is settled. Where none is, the next note takes its place; a lane that finds nothing clears it then.
 */
export const clearNote = statement<[laneId: string], never>(
  'clear_note',
  `update {schema}.claim_notes
set run_lows = '{}', run_highs = '{}', run_attempts = '{}', lowest_id = null, highest_id = null
where lane_id = $1`,
)
