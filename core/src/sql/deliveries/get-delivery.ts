import type { DeliveryRow } from './delivery-row.ts'
import { DELIVERY_COLUMNS, IS_DELIVERY } from './delivery-row.ts'
import { statement } from '../../postgres/statement.ts'

/** Caller: DeliveryStore. Requests are not found. */
export const getDelivery = statement<[appId: string, deliveryId: string], DeliveryRow>(
  'get_delivery',
  `select ${DELIVERY_COLUMNS} from {schema}.outbox o where ${IS_DELIVERY}`,
)
