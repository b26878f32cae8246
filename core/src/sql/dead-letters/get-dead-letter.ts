import type { DeadLetterRow } from '../settle/dead-letter-row.ts'
import { DEAD_LETTER_COLUMNS } from '../settle/dead-letter-row.ts'
import { isLeftParked } from '../pause/pauses.ts'
import { statement } from '../../postgres/statement.ts'

export interface FoundDeadLetterRow extends DeadLetterRow {
  /** Its trigger is gone and left its rows parked: a replay would wait for ever. */
  readonly left_parked: boolean
}

/** Caller: DeadLetterStore, for one letter, before it is shown, replayed or discarded. */
export const getDeadLetter = statement<[appId: string, id: string], FoundDeadLetterRow>(
  'get_dead_letter',
  `select ${DEAD_LETTER_COLUMNS}, ${isLeftParked('d.app_id', 'd.trigger_id')} as left_parked
from {schema}.dead_letters d where app_id = $1 and id = $2::bigint`,
)
