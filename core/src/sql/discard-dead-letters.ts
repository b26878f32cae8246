import type { DeadLetterFilterParameters } from './dead-letter-row.ts'
import { DEAD_LETTER_CONDITION } from './dead-letter-row.ts'
import { statement } from './statement.ts'

/** Caller: DeadLetterStore.discard and discardAll. Kept, with their resolution; what is resolved stays as it is. */
export const discardDeadLetters = statement<[...DeadLetterFilterParameters, id: string | null], { id: string }>(
  'discard_dead_letters',
  `update {schema}.dead_letters set resolution = 'discarded', resolved_at = clock_timestamp()
where ${DEAD_LETTER_CONDITION}
  and ($9::bigint is null or id = $9)
  and resolution is null
returning id`,
)
