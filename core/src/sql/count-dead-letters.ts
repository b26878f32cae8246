import type { DeadLetterFilterParameters } from './dead-letter-row.ts'
import { DEAD_LETTER_CONDITION } from './dead-letter-row.ts'
import { statement } from './statement.ts'

/** Caller: DeadLetterStore, for dry runs. */
export const countDeadLetters = statement<DeadLetterFilterParameters, { count: number }>(
  'count_dead_letters',
  `select count(*)::integer as count from {schema}.dead_letters where ${DEAD_LETTER_CONDITION}`,
)
