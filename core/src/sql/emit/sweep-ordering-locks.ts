import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Dispatcher's housekeeping. Removes rows that nobody holds; whoever emits to that key next inserts one anew. In bites that
 * take milliseconds, since an emit to a key that is being removed waits for it. Each goes on where the last one ended, so that the
 * table is read once, also while a pinned horizon keeps what earlier sweeps have left in it (G13).
 */
export const sweepOrderingLocks = statement<
  [olderThanMs: number, limit: number, after: string],
  { removed: number; last: string | null }
>(
  'sweep_ordering_locks',
  `with old as materialized (
  select ctid as place from {schema}.ordering_locks
  where ctid > $3::text::tid and taken_at < clock_timestamp() - $1::double precision * interval '1 millisecond'
  limit $2 for update skip locked
), gone as (
  delete from {schema}.ordering_locks where ctid = any (array(select place from old))
)
select count(*)::integer as removed, max(place)::text as last from old`,
)
