import { statement } from '../../postgres/statement.ts'

/** Caller: Retention. */
export const deleteOldSetAside = statement<[days: number, limit: number], { deleted: number }>(
  'delete_old_set_aside',
  `with old as materialized (
  select ctid as place from {schema}.set_aside
  where set_aside_at < clock_timestamp() - $1::double precision * interval '1 day'
  order by set_aside_at limit $2 for update skip locked
), gone as (
  delete from {schema}.set_aside where ctid = any (array(select place from old)) returning row_id
)
select count(*)::integer as deleted from gone`,
)
