import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Retention. The age of a resolved letter counts from its resolution, of another from its death. A null keeps
 * them.
 */
export const deleteOldDeadLetters = statement<
  [resolvedDays: number | null, unresolvedDays: number | null, limit: number],
  { deleted: number }
>(
  'delete_old_dead_letters',
  `with old as materialized (
  select id from {schema}.dead_letters
  where died_at < clock_timestamp() - least($1::double precision, $2::double precision) * interval '1 day'
    and case when resolution is null then died_at < clock_timestamp() - $2::double precision * interval '1 day'
      else resolved_at < clock_timestamp() - $1::double precision * interval '1 day' end
  order by died_at limit $3 for update skip locked
), gone as (
  delete from {schema}.dead_letters where id = any (array(select id from old)) returning id
)
select count(*)::integer as deleted from gone`,
)
