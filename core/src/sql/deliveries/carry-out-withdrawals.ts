import { DEAD_LETTER_WRITTEN } from '../settle/dead-letter-row.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * Callers: Withdrawals, right after a request if the login may; each dispatcher, every second and when notified. Takes
 * withdrawn rows out of the outbox, unless somebody has them in hand. Withdrawals whose row is gone are deleted. Each
 * counts for its own app's deliveries alone.
 *
 * Ids in an array: a join with the outbox became a nested loop, 21 s for a thousand of a million rows. Error 23514: the
 * history has no table for the day.
 */
export const carryOutWithdrawals = statement<
  [appId: string | null, deliveryIds: readonly string[] | null, limit: number, record: boolean],
  { over: number; buried: number }
>(
  'carry_out_withdrawals',
  `with due as materialized (
  select w.app_id, w.delivery_id, w.outcome, w.dead_letter, w.reason, o.id as there
  from {schema}.withdrawals w
  left join {schema}.outbox o on o.id = w.delivery_id and o.app_id = w.app_id and o.reply_to is null
  where ($1::text is null or (w.app_id = $1 and w.delivery_id = any ($2::bigint[])))
    and (o.id is null or o.lease_token is null or o.due_at <= clock_timestamp())
  limit $3 for update of w skip locked
), free as materialized (
  select id from {schema}.outbox
  where id = any (array(select there from due)) and (lease_token is null or due_at <= clock_timestamp())
  for update skip locked
), left_outbox as (
  delete from {schema}.outbox where id = any (array(select id from free)) returning *
), taken as (
  select left_outbox.*, due.outcome, due.dead_letter, due.reason from left_outbox join due on due.there = left_outbox.id
), recorded as (
  insert into {schema}.attempts (app_id, delivery_id, event_id, trigger_id, trigger_name, source, attempt, ended_at, outcome, error, reason, caller)
  select app_id, id, event_id, trigger_id, coalesce({schema}.name_in(trigger, 'name'), ''), coalesce({schema}.name_in(trigger, 'source'), ''), attempt,
    statement_timestamp(), outcome, null, reason, caller
  from taken where $4
), gone as (
  select *, 'cancelled' as failure_kind,
    jsonb_build_object('attempt', attempt, 'kind', 'cancelled', 'message', reason, 'at',
      to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) as error
  from taken where dead_letter and {schema}.name_in(trigger, 'source') is distinct from 'dead_letter'
), buried as (
  ${DEAD_LETTER_WRITTEN}
  returning id
), ended as materialized (
  select app_id, delivery_id from due where there is null or there = any (array(select id from free))
), over as (
  delete from {schema}.withdrawals w using ended
  where w.app_id = ended.app_id and w.delivery_id = ended.delivery_id
  returning w.delivery_id
)
select (select count(*) from over)::integer as over, (select count(*) from buried)::integer as buried`,
)
