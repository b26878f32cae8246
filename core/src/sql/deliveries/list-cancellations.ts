import { statement } from '../../postgres/statement.ts'

/**
 * Caller: each dispatcher every second, and when it is told: what is to be ended where it runs. `cancellations` is what older processes
 * write; those of deliveries that came to an outcome meanwhile go. Of its own app's deliveries alone: an emitter writes withdrawals.
 */
export const listCancellations = statement<[limit: number], { delivery_id: string; reason: string }>(
  'list_cancellations',
  `with over as (
  delete from {schema}.cancellations c
  where not exists (select from {schema}.outbox o where o.id = c.delivery_id)
)
(select delivery_id, reason from {schema}.cancellations order by requested_at limit $1)
union all
(select w.delivery_id, w.reason from {schema}.withdrawals w
join {schema}.outbox o on o.id = w.delivery_id and o.app_id = w.app_id
where not o.paused order by w.requested_at limit $1)`,
)
