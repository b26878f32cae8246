import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Dispatcher's sweeps, as `heedClock`, for unread replies: their callers are gone when they would be, had
 * they asked now.
 */
export const heedClockOfReplies = statement<[limit: number], never>(
  'heed_clock_of_replies',
  `update {schema}.replies
set reply_by = reply_by - (emitted_at - clock_timestamp()), emitted_at = clock_timestamp()
where request_id = any (array(
  select request_id from {schema}.replies
  where taken_at is null and reply_by is not null and isfinite(emitted_at) and emitted_at > clock_timestamp() + interval '1 second'
  limit $1 for update skip locked
))`,
)
