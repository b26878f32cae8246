import { statement } from './statement.ts'

/**
 * Caller: Dispatcher's housekeeping. Removes rows that nobody holds; whoever emits to that key next inserts one anew. In bites that
 * take milliseconds, since an emit to a key that is being removed waits for it.
 */
export const sweepOrderingLocks = statement<[olderThanMs: number, limit: number], never>(
  'sweep_ordering_locks',
  `delete from {schema}.ordering_locks
where ctid = any (array(
  select ctid from {schema}.ordering_locks
  where taken_at < clock_timestamp() - $1::double precision * interval '1 millisecond'
  limit $2 for update skip locked))`,
)
