import { statement } from '../../postgres/statement.ts'

/** Caller: Retention. */
export const deleteOldAbandoned = statement<[days: number, limit: number], { deleted: number }>(
  'delete_old_abandoned',
  `with old as materialized (
  select request_id from {schema}.abandoned_executions
  where abandoned_at < clock_timestamp() - $1::double precision * interval '1 day'
  order by abandoned_at limit $2 for update skip locked
), gone as (
  delete from {schema}.abandoned_executions where request_id = any (array(select request_id from old)) returning request_id
)
select count(*)::integer as deleted from gone`,
)
