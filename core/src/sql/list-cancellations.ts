import { statement } from './statement.ts'

/** Caller: each dispatcher every second, and when it is told. Those of deliveries that came to an outcome meanwhile go. */
export const listCancellations = statement<[limit: number], { delivery_id: string; reason: string }>(
  'list_cancellations',
  `with over as (
  delete from {schema}.cancellations c
  where not exists (select from {schema}.outbox o where o.id = c.delivery_id)
)
select delivery_id, reason from {schema}.cancellations order by requested_at limit $1`,
)
