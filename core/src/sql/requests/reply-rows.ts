/** Replies and abandoned executions, for every statement that answers requests. */

/** Columns of `gone`, the outbox rows that a statement deletes and answers. `abandoned` is decided once for each. */
export const GONE_COLUMNS = `o.id as delivery_id, o.event_id, o.app_id, o.trigger_id, coalesce({schema}.name_in(o.trigger, 'source'), '') as source,
    coalesce({schema}.name_in(o.trigger, 'name'), '') as trigger_name, o.reply_to, o.reply_by, o.emitted_at, o.caller,
    coalesce(o.reply_by <= clock_timestamp(), false) as abandoned`

/**
 * CTEs after `gone`, which has {@link GONE_COLUMNS} and `reply`: they write the inbox or the abandoned executions. A
 * request's id is its event's, which an emitter may write twice past the bus. Then the first reply counts.
 */
export const ANSWERED = `replied as (
  insert into {schema}.replies (request_id, app_id, delivery_id, source, trigger_id, trigger_name, reply_to, reply_by, reply, emitted_at, caller)
  select event_id, app_id, delivery_id, source, trigger_id, trigger_name, reply_to, reply_by, reply, emitted_at, caller
  from gone where not abandoned
  on conflict (request_id) do nothing
), abandoned as (
  insert into {schema}.abandoned_executions (request_id, app_id, delivery_id, source, trigger_id, trigger_name, reply, emitted_at, replied_at, caller)
  select event_id, app_id, delivery_id, source, trigger_id, trigger_name, reply, emitted_at, clock_timestamp(), caller
  from gone where abandoned
  on conflict (request_id) do nothing
)`

/** A CTE that abandons the replies that the CTE `unread` deleted. */
export const UNREAD_ABANDONED = `abandoned as (
  insert into {schema}.abandoned_executions (request_id, app_id, delivery_id, source, trigger_id, trigger_name, reply, emitted_at, replied_at, caller)
  select request_id, app_id, delivery_id, source, trigger_id, trigger_name, reply, emitted_at, replied_at, caller from unread
  on conflict (request_id) do nothing
  returning request_id
)`
