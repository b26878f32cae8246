import type { ArrayText } from './arrays.ts'
import { statement } from './statement.ts'

const CLEARED = `update {schema}.claim_notes
set run_lows = '{}', run_highs = '{}', run_attempts = '{}', lowest_id = null, highest_id = null
where lane_id =`

/** Caller: Lane, inside the claim's own transaction: the note goes exactly when the claim is settled. */
export const clearNote = statement<[laneId: string], never>('clear_note', `${CLEARED} $1`)

/** The same with the rows of the claim that are done: mostly there is nothing else to settle. */
export const finishAndClearNote = statement<[ids: ArrayText, laneId: string], never>(
  'finish_and_clear_note',
  `with cleared as (${CLEARED} $2)
delete from {schema}.outbox where id = any ($1::bigint[]) and lease_token is null`,
)
