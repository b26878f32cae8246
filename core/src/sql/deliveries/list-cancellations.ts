import { statement } from '../../postgres/statement.ts'

/**
 * Caller: each dispatcher, every second and when notified: what is to be ended while it runs. Older processes write
 * `cancellations`; those of ended deliveries are deleted. A withdrawal counts for its own app alone, because an emitter
 * writes it.
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
