import { EMITTED_SETTING } from '../emit/emit-noted.ts'
import { SOMETHING_PAUSED } from '../pause/pauses.ts'
import { statement } from '../../postgres/statement.ts'
import { notesAround } from '../note/write-note.ts'

export interface AroundRow {
  readonly noted_by_others: boolean
  readonly something_paused: boolean
}

/**
 * Caller: EmittedClaims, right after `claim_emitted` in its transaction. Only a statement of its own sees what was
 * committed before the row was locked: another lane's note of it, and a pause.
 */
export const askAround = statement<[laneId: string], AroundRow>(
  'ask_around',
  `select exists (
    select from (${notesAround('emitted.id', 'emitted.id')}) as n where n.lane_id <> $1
  ) as noted_by_others, ${SOMETHING_PAUSED} as something_paused
from (select nullif(current_setting('${EMITTED_SETTING}', true), '')::bigint as id) as emitted`,
)
