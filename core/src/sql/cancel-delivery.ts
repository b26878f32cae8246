import { DEAD_LETTER_WRITTEN } from './dead-letter-row.ts'
import { statement } from './statement.ts'

export interface CancelledRow {
  /** Null: the app has no such delivery. `waiting`: it is a dead letter now. `running`: whoever runs it is asked to end it. */
  readonly was: 'waiting' | 'running' | null
  readonly notified: unknown
}

/**
 * Caller: DeliveryStore.cancel. A delivery that nobody has in hands becomes a dead letter at once; of one that is locked
 * or under a lease it is written down that it is to end, as of the handlers of dead letters, which never become one. Requests
 * are ended by their callers.
 */
export const cancelDelivery = statement<
  [appId: string, deliveryId: string, reason: string, error: string, channel: string],
  CancelledRow
>(
  'cancel_delivery',
  `with sought as (
  select id from {schema}.outbox where app_id = $1 and id = $2::bigint and reply_to is null
), waiting as materialized (
  select id from {schema}.outbox
  where id = (select id from sought) and (lease_token is null or due_at <= clock_timestamp()) and trigger ->> 'source' <> 'dead_letter' for update skip locked
), gone as (
  delete from {schema}.outbox o using waiting where o.id = waiting.id
  returning o.*, 'cancelled' as failure_kind, $3 as reason, jsonb_set($4::jsonb, '{attempt}', to_jsonb(o.attempt)) as error
), written as (
  ${DEAD_LETTER_WRITTEN}
), noted as (
  insert into {schema}.cancellations (delivery_id, app_id, reason)
  select id, $1, $3 from sought where not exists (select from waiting)
  on conflict (delivery_id) do nothing
)
select case when exists (select from waiting) then 'waiting' when exists (select from sought) then 'running' end as was,
  case when exists (select from sought) and not exists (select from waiting) then pg_notify($5, '') end as notified`,
)
