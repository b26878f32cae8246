import type { DeadLetterFilterParameters, LetterRange } from '../settle/dead-letter-row.ts'
import { DEAD_LETTER_CONDITION } from '../settle/dead-letter-row.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * Caller: DeadLetterStore.discard and discardAll. Letters are kept, with their resolution; a resolved one stays as it
 * is.
 */
export const discardDeadLetters = statement<
  [...DeadLetterFilterParameters, ...LetterRange],
  { discarded: number; last_id: string | null }
>(
  'discard_dead_letters',
  `with chosen as (
  select id from {schema}.dead_letters
  where ${DEAD_LETTER_CONDITION}
    and id between $10::bigint and $11::bigint
    and resolution is null
  order by id limit $12 for update
), marked as (
  update {schema}.dead_letters d set resolution = 'discarded', resolved_at = clock_timestamp()
  from chosen where d.id = chosen.id
  returning d.id
)
select count(*)::integer as discarded, max(id) as last_id from marked`,
)
