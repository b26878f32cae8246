import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Settlement, for rows of dead-letter handlers. One handler that succeeds is enough; a replayed or discarded
 * letter stays so. Answers with the deleted rows. Fenced by the token as in finish.ts.
 */
export const resolveDeadLetters = statement<
  [
    ids: readonly string[],
    deadLetterIds: readonly string[],
    resolutions: readonly ('handled' | 'handler_failed')[],
    heldToken: string | null,
  ],
  { id: string }
>(
  'resolve_dead_letters',
  `with gone as (
  delete from {schema}.outbox o using unnest($1::bigint[], $2::bigint[], $3::text[]) as ended (id, dead_letter_id, resolution)
  where o.id = ended.id and o.lease_token is not distinct from $4::uuid
  returning o.id, o.app_id, ended.dead_letter_id, ended.resolution
), resolved as (
  update {schema}.dead_letters d set resolution = best.resolution, resolved_at = clock_timestamp()
  from (select app_id, dead_letter_id, min(resolution) as resolution from gone group by 1, 2) as best
  where d.app_id = best.app_id and d.id = best.dead_letter_id
    and (d.resolution is null or (d.resolution = 'handler_failed' and best.resolution = 'handled'))
)
select id from gone`,
)
