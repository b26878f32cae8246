import type { DeadLetterFilterParameters } from './dead-letter-row.ts'
import { DEAD_LETTER_CONDITION } from './dead-letter-row.ts'
import { statement } from './statement.ts'

/** Caller: DeadLetterStore, for dry runs, and for the last letter that a replay or discard of many may touch. */
export const countDeadLetters = statement<DeadLetterFilterParameters, { count: number; last_id: string | null }>(
  'count_dead_letters',
  `select count(*)::integer as count, max(id) as last_id from {schema}.dead_letters where ${DEAD_LETTER_CONDITION}`,
)
