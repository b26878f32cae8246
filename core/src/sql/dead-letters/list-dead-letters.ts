import type { DeadLetterFilterParameters, DeadLetterRow } from '../settle/dead-letter-row.ts'
import { DEAD_LETTER_COLUMNS, DEAD_LETTER_CONDITION } from '../settle/dead-letter-row.ts'
import { statement } from '../../postgres/statement.ts'

/** Caller: DeadLetterStore.list. Newest first. */
export const listDeadLetters = statement<
  [...DeadLetterFilterParameters, beforeId: string | null, limit: number],
  DeadLetterRow
>(
  'list_dead_letters',
  `select ${DEAD_LETTER_COLUMNS} from {schema}.dead_letters
where ${DEAD_LETTER_CONDITION}
  and ($10::bigint is null or id < $10)
order by id desc
limit $11`,
)
