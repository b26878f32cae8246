import { statement } from './statement.ts'

/**
 * Caller: Dispatcher's housekeeping, once the clock of the database was set back. Due times that were set in the future are moved to
 * where they would be had they been set now: a delay, a backoff and a lease are as long as they were meant to be. Each row is
 * moved once. By no index: this is done for a minute and then not again. Rows that somebody has locked are seen the next time.
 */
export const heedClock = statement<[limit: number], { moved: number }>(
  'heed_clock',
  `with moved as (
  update {schema}.outbox
  set due_at = due_at - (coalesce(due_set_at, emitted_at) - clock_timestamp()), due_set_at = clock_timestamp()
  where id = any (array(
    select id from {schema}.outbox
    where coalesce(due_set_at, emitted_at) > clock_timestamp() + interval '1 second' and due_at > clock_timestamp()
    limit $1 for update skip locked
  )) and due_at > clock_timestamp()
  returning 1
)
select count(*)::integer as moved from moved`,
)
