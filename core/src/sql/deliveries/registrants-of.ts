import { statement } from '../../postgres/statement.ts'

/** Caller: DeliveryStore, before it ends deliveries. No row: none of them is there. */
export const registrantsOf = statement<[appId: string, deliveryIds: readonly string[]], { registrant: string | null }>(
  'registrants_of',
  `select distinct {schema}.name_in(o.trigger, 'registrant') as registrant from {schema}.outbox o
where o.id = any ($2::bigint[]) and o.app_id = $1 and o.reply_to is null`,
)
