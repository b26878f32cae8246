import type { DeadLetterFilterParameters } from '../settle/dead-letter-row.ts'
import { DEAD_LETTER_CONDITION } from '../settle/dead-letter-row.ts'
import { isLeftParked, isPaused } from '../pause/pauses.ts'
import { statement } from '../../postgres/statement.ts'

export interface CountedDeadLetters {
  readonly count: number
  readonly last_id: string | null
  /** Letters whose triggers or app are paused or disabled. */
  readonly parked: number
  /** A trigger that is gone and left its rows parked. Null: none. */
  readonly left_parked: string | null
}

/**
 * Caller: DeadLetterStore, for dry runs, and for the last letter that a replay or discard of many may touch. Pauses are
 * asked for once a trigger.
 */
export const countDeadLetters = statement<DeadLetterFilterParameters, CountedDeadLetters>(
  'count_dead_letters',
  `with chosen as materialized (
  select trigger_id, count(*) as letters, max(id) as last_id from {schema}.dead_letters where ${DEAD_LETTER_CONDITION} group by trigger_id
)
select coalesce(sum(letters), 0)::integer as count, max(last_id) as last_id,
  coalesce(sum(letters) filter (where ${isPaused('$1', 'chosen.trigger_id')}), 0)::integer as parked,
  min(trigger_id::text) filter (where ${isLeftParked('$1', 'chosen.trigger_id')}) as left_parked
from chosen`,
)
