import { statement } from '../../postgres/statement.ts'

/** Caller: DeliveryStore, for deliveries named with their event: an id may have come again for another event. */
export const stillOfEvent = statement<[appId: string, deliveryIds: readonly string[], eventId: string], { id: string }>(
  'still_of_event',
  `select o.id from {schema}.outbox o
where o.id = any ($2::bigint[]) and o.app_id = $1 and o.event_id = $3::uuid and o.reply_to is null`,
)
