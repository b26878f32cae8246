import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Dispatcher's sweeps. Removes rows that nobody holds. A call takes milliseconds, because emits to a key
 * being removed wait. Each goes on where the last one ended, so that a table with a pinned horizon is read once too
 * (G13).
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
