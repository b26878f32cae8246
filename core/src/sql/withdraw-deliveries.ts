import { statement } from './statement.ts'

export interface WithdrawnRow {
  /** Were waiting: nobody starts them any more. */
  readonly waiting: number
  /** Run: whoever runs them is asked to end them. */
  readonly running: number
  /** Whether this login may take rows out of the outbox, as a dispatcher may. */
  readonly may_carry_out: boolean
  readonly notified: unknown
}

/**
 * Caller: Withdrawals.ask. Needs no more than an emitter's rights. What waits is set aside, where no lane claims it, in the same
 * statement that says what is to become of it; so once this has committed, nobody starts it. What is locked or under a lease
 * runs, and is ended by whoever runs it. Handlers of dead letters leave no dead letter.
 */
export const withdrawDeliveries = statement<
  [
    appId: string,
    deliveryIds: readonly string[],
    outcome: 'dead' | 'discarded',
    deadLetter: boolean,
    reason: string,
    channel: string,
  ],
  WithdrawnRow
>(
  'withdraw_deliveries',
  `with sought as materialized (
  select o.id from {schema}.outbox o
  where o.id = any ($2::bigint[]) and o.app_id = $1 and o.reply_to is null
    and (not o.paused or not exists (select from {schema}.withdrawals w where w.app_id = o.app_id and w.delivery_id = o.id))
), waiting as materialized (
  select id from {schema}.outbox
  where id = any (array(select id from sought)) and (lease_token is null or due_at <= clock_timestamp())
  for update skip locked
), aside as (
  update {schema}.outbox set paused = true where id = any (array(select id from waiting))
), written as (
  insert into {schema}.withdrawals (app_id, delivery_id, outcome, dead_letter, reason)
  select $1, id, $3, $4, $5 from sought
  on conflict (app_id, delivery_id) do nothing
)
select (select count(*) from waiting)::integer as waiting,
  ((select count(*) from sought) - (select count(*) from waiting))::integer as running,
  has_table_privilege('{schema}.outbox', 'delete') as may_carry_out,
  case when exists (select from sought) then pg_notify($6, '') end as notified`,
)
