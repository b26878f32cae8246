import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Dispatcher's sweeps, after the database's clock was set back (docs/claim-protocol.md). Moves each due
 * time that was set in the future, once, so that delays, leases and callers' waits keep their length. No index serves
 * this: it runs for a minute. Rows locked now are seen the next time.
 */
export const heedClock = statement<[limit: number], { moved: number }>(
  'heed_clock',
  `with moved as (
  update {schema}.outbox
  set due_at = case when coalesce(due_set_at, replayed_at, emitted_at) > clock_timestamp() and due_at > clock_timestamp()
      then due_at - (coalesce(due_set_at, replayed_at, emitted_at) - clock_timestamp()) else due_at end,
    due_set_at = clock_timestamp(),
    reply_by = case when emitted_at > clock_timestamp() then reply_by - (emitted_at - clock_timestamp()) else reply_by end,
    emitted_at = case when reply_by is not null then least(emitted_at, clock_timestamp()) else emitted_at end
  where id = any (array(
    select id from {schema}.outbox
    where isfinite(emitted_at) and isfinite(due_at)
      and ((coalesce(due_set_at, replayed_at, emitted_at) > clock_timestamp() + interval '1 second' and due_at > clock_timestamp())
        or (reply_by is not null and emitted_at > clock_timestamp() + interval '1 second'))
    limit $1 for update skip locked
  ))
  returning 1
)
select count(*)::integer as moved from moved`,
)
