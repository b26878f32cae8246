import type { DeadLetterRow } from '../settle/dead-letter-row.ts'
import { DEAD_LETTER_COLUMNS } from '../settle/dead-letter-row.ts'
import { statement } from '../../postgres/statement.ts'

export interface UnannouncedDeadLetter extends DeadLetterRow {
  readonly trace_context: string | null
}

/**
 * Caller: DeadLetterAnnouncer, in the transaction that emits them. So a letter is announced exactly when its handlers
 * have their rows. Takes the oldest letters with ids above `after`.
 */
export const takeUnannouncedDeadLetters = statement<[limit: number, after: string], UnannouncedDeadLetter>(
  'take_unannounced_dead_letters',
  `update {schema}.dead_letters set announced = true
where id = any (array(
  select id from {schema}.dead_letters where not announced and id > $2::bigint order by id limit $1 for update skip locked
))
returning ${DEAD_LETTER_COLUMNS}, trace_context`,
)
