import { statement } from '../../postgres/statement.ts'

export interface WithdrawnRow {
  /** Nobody starts these any more. */
  readonly waiting: number
  /** Ids with commas between: running, locked by another transaction, or just come to their outcome. */
  readonly others: string | null
  /** Somebody else asked for these before, or at the same moment. */
  readonly asked_before: number
  /** Whether this login may delete from the outbox, as a dispatcher may. */
  readonly may_carry_out: boolean
  readonly notified: unknown
}

/**
 * Caller: Withdrawals.ask, with an emitter's rights (docs/claim-protocol.md, "Withdrawals"). What waits does not start
 * once this has committed. What is locked or leased runs, and is ended by whoever runs it. Handlers of dead letters
 * leave no dead letter.
 *
 * Ids are written in one order, so that two callers do not deadlock. Each counts and locks only what it wrote first.
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
  select id, asked from (
    select o.id, o.paused, exists (select from {schema}.withdrawals w where w.app_id = o.app_id and w.delivery_id = o.id) as asked
    from {schema}.outbox o
    where o.id = any ($2::bigint[]) and o.app_id = $1 and o.reply_to is null
  ) as named
  where not (paused and asked)
), written as materialized (
  insert into {schema}.withdrawals (app_id, delivery_id, outcome, dead_letter, reason)
  select $1, id, $3, $4, $5 from sought order by id
  on conflict (app_id, delivery_id) do nothing
  returning delivery_id as id
), waiting as materialized (
  select id from {schema}.outbox
  where id = any (array(select id from written union all select id from sought where asked))
    and (lease_token is null or due_at <= clock_timestamp())
  for update skip locked
), aside as (
  update {schema}.outbox set paused = true where id = any (array(select id from waiting))
)
select count(waiting.id)::integer as waiting, string_agg(written.id::text, ',') filter (where waiting.id is null) as others,
  ((select count(*) from sought) - count(*))::integer as asked_before,
  has_table_privilege('{schema}.outbox', 'delete') as may_carry_out,
  case when exists (select from sought) then pg_notify($6, '') end as notified
from written left join waiting on waiting.id = written.id`,
)
