import { isPaused } from './pauses.ts'
import { statement } from '../../postgres/statement.ts'

export const UNPARKED_AT_A_TIME = 5_000

/**
 * Caller: each dispatcher, every second. Rows whose pause is over are due as before, but not in the past: nothing may
 * appear where dispatchers have already looked (`starts.ts`). Going by trigger skips what is still paused. Withdrawn
 * rows stay.
 */
export const unpark = statement<[limit: number], { rows: number }>(
  'unpark',
  `with recursive parked as (
  (select app_id, trigger_id from {schema}.outbox where paused order by app_id, trigger_id limit 1)
  union all
  select next.app_id, next.trigger_id
  from parked cross join lateral (
    select o.app_id, o.trigger_id from {schema}.outbox o
    where o.paused and (o.app_id, o.trigger_id) > (parked.app_id, parked.trigger_id)
    order by o.app_id, o.trigger_id limit 1
  ) as next
), chosen as materialized (
  select resumed.id
  from (select * from parked where not ${isPaused('parked.app_id', 'parked.trigger_id')}) as over
  cross join lateral (
    select o.id from {schema}.outbox o
    where o.paused and o.app_id = over.app_id and o.trigger_id = over.trigger_id
      and not exists (select from {schema}.withdrawals w where w.app_id = o.app_id and w.delivery_id = o.id)
    limit $1 for update skip locked
  ) as resumed
  limit $1
), unparked as (
  update {schema}.outbox set paused = false, due_at = greatest(due_at, clock_timestamp()) where id = any (array(select id from chosen)) returning id
)
select count(*)::integer as rows from unparked`,
)
