import type { ErasureParameters } from './erasure.ts'
import type { ErasedBatch } from '../../contract/erasure.ts'
import { erasedBatch, payloadMatches, TEXTS_ERASED } from './erasure.ts'
import { ANSWERED, GONE_COLUMNS } from '../requests/reply-rows.ts'
import { statement } from '../../postgres/statement.ts'

/** The event of a dead-letter handler is the letter, and holds the event that is meant. */
const IS_LETTER = `source = 'dead_letter'`

/**
 * Caller: Erasure. The outbox has no index by app, so it is read by its primary key. What is locked or leased is found
 * and not erased. What waited is `discarded` in the history; whoever waits for a reply hears that the request was
 * cancelled. Error 23514: the history has no table for the day.
 */
export const eraseWaiting = statement<[...ErasureParameters, record: boolean, reply: string], ErasedBatch>(
  'erase_waiting',
  `with batch as materialized (
  select id, app_id, event, case when app_id = $1 then coalesce({schema}.name_in(trigger, 'source'), '') end as source
  from {schema}.outbox where id > $2::bigint order by id limit $3
), looked as materialized (
  select id, case when app_id <> $1 then false
    when $4::text[] is null or case when ${IS_LETTER} then {schema}.name_in(event, 'source') else source end = any ($4)
    then ${payloadMatches('event', 5, `case when ${IS_LETTER} then 'event' end`)} else false end as matches
  from batch
), free as materialized (
  select id from {schema}.outbox
  where id = any (array(select id from looked where matches)) and not $8
    and (lease_token is null or due_at <= clock_timestamp())
  for update skip locked
), erased as materialized (
  delete from {schema}.outbox o where o.id = any (array(select id from free)) returning ${GONE_COLUMNS}, o.attempt
), gone as materialized (
  select *, $10::json as reply from erased where reply_to is not null
), ${ANSWERED}, recorded as (
  insert into {schema}.attempts (app_id, delivery_id, event_id, trigger_id, trigger_name, source, attempt, ended_at, outcome, error, reason, caller)
  select app_id, delivery_id, event_id, trigger_id, trigger_name, source, attempt, statement_timestamp(), 'discarded', null, 'erased', caller
  from erased where $9 and reply_to is null
), blanked as (
  update {schema}.attempts set ${TEXTS_ERASED}
  where app_id = $1 and delivery_id = any (array(select id from free)) and (error is not null or reason is not null)
), forgotten as (
  delete from {schema}.set_aside where app_id = $1 and kind = 'delivery' and row_id = any (array(select id::text from free))
)
${erasedBatch()}`,
)
