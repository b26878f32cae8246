import type { DeliveryFilterParameters, DeliveryRow } from './delivery-row.ts'
import { DELIVERY_COLUMNS, DELIVERY_CONDITION } from './delivery-row.ts'
import { statement } from '../../postgres/statement.ts'

/** Caller: DeliveryStore.list, for one bite (`bite_of_outbox`). In the order of writing. */
export const listDeliveries = statement<[...DeliveryFilterParameters, limit: number], DeliveryRow>(
  'list_deliveries',
  `select ${DELIVERY_COLUMNS} from {schema}.outbox o
where ${DELIVERY_CONDITION}
order by o.id limit $12`,
)

/** Caller: DeliveryStore, for a dry run over one bite. */
export const countDeliveries = statement<DeliveryFilterParameters, { count: number; running: number }>(
  'count_deliveries',
  `select count(*)::integer as count, count(*) filter (where o.lease_token is not null and o.due_at > clock_timestamp())::integer as running
from {schema}.outbox o where ${DELIVERY_CONDITION}`,
)

/** Caller: DeliveryStore, to end the deliveries of one bite. */
export const findDeliveries = statement<DeliveryFilterParameters, { id: string }>(
  'find_deliveries',
  `select o.id from {schema}.outbox o where ${DELIVERY_CONDITION} order by o.id`,
)
