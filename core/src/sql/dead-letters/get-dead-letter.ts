import type { DeadLetterRow } from '../settle/dead-letter-row.ts'
import { DEAD_LETTER_COLUMNS } from '../settle/dead-letter-row.ts'
import { isLeftParked } from '../pause/pauses.ts'
import { statement } from '../../postgres/statement.ts'

export interface FoundDeadLetterRow extends DeadLetterRow {
  /** The trigger is gone and left its rows parked, so a replay would wait for ever. */
  readonly left_parked: boolean
}

/** Caller: DeadLetterStore, before it shows, replays or discards one letter. */
export const getDeadLetter = statement<[appId: string, id: string], FoundDeadLetterRow>(
  'get_dead_letter',
  `select ${DEAD_LETTER_COLUMNS}, ${isLeftParked('d.app_id', 'd.trigger_id')} as left_parked
from {schema}.dead_letters d where app_id = $1 and id = $2::bigint`,
)
