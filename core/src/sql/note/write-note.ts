import type { ArrayText } from '../../postgres/arrays.ts'
import { SOMETHING_PAUSED } from '../pause/pauses.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * A run of ids; with nulls, some trigger is paused. `of_emit`: the note committed with its row. Its lane had claimed
 * the row, or died before, unless the note is gone meanwhile (`still_noted`).
 */
export type OverlapRow =
  | { readonly low: string; readonly high: string; readonly of_emit: boolean }
  | { readonly low: null; readonly high: null; readonly of_emit: null }

/** A note has one row for each so many consecutive ids that it names any of. */
export const NOTE_SPAN = 65_536
/** A run begins in its span and is no longer than the largest batch. */
const LONGEST_RUN = 10_000
/** A note that names an id begins at most this far below the id. */
const NOTE_REACH = NOTE_SPAN + LONGEST_RUN
/** A short note's ids are no farther apart; lanes that keep up have such notes. An index has the same number. */
const SHORT = 512

/**
 * Notes that may name ids between `low` and `high`. Short notes are read only nearby: while some transaction pins the
 * xmin horizon, old versions of all others are still there (G13).
 */
export function notesAround(low: string, high: string): string {
  return `select * from {schema}.claim_notes
    where lowest_id between ${low} - ${SHORT} and ${high} and highest_id - lowest_id < ${SHORT} and highest_id >= ${low}
    union all
    select * from {schema}.claim_notes
    where lowest_id between ${low} - ${NOTE_REACH} and ${high} and highest_id - lowest_id >= ${SHORT} and highest_id >= ${low}`
}

/**
 * Caller: LaneNote, committed on a connection of its own between claim and first handler. The lane's note replaces the
 * one that it left. The answer is the runs of ids that some note names with the same attempt: they were started and
 * never settled. Reads do not see the statement's own writes, so the lane's earlier note counts too.
 *
 * Only notes near the same ids are read, so neither many lanes nor old versions behind a pinned xmin horizon are dear
 * (G13). Notes are compared as sets of ids: after scattered failures two notes have 250,000 pairs of runs.
 *
 * A note of `emit_noted` does not count while its lane holds its lock, because the row is not claimed yet. Any login
 * could hold that lock, so it counts only for one that may dispatch. `not isempty(overlap)` is always true, and reads
 * the locks for such notes only. The bounds of `attempt` are for the planner, as in `emit_uniform`.
 */
export const writeNote = statement<
  [
    laneId: string,
    runLows: ArrayText,
    runHighs: ArrayText,
    runAttempts: ArrayText,
    /** The lowest ids of the note that the lane left behind. */
    left: ArrayText,
  ],
  OverlapRow
>(
  'write_note',
  `with gone as (
  delete from {schema}.claim_notes where lowest_id = any ($5::bigint[]) and lane_id = $1
), mine as materialized (
  select low, high, attempt, low / ${NOTE_SPAN} as span from unnest($2::bigint[], $3::bigint[], $4::integer[]) as run (low, high, attempt)
  where attempt between 0 and 2147483647
), spans as materialized (
  select min(low) as lowest, max(high) as highest, array_agg(low) as lows, array_agg(high) as highs, array_agg(attempt) as attempts
  from mine group by span
), noted as (
  insert into {schema}.claim_notes (lane_id, lowest_id, highest_id, run_lows, run_highs, run_attempts)
  select $1, lowest, highest, lows, highs, attempts from spans
), ids as materialized (
  select attempt, range_agg(int8range(low, high, '[]')) as ids from mine group by attempt
)
select lower(overlap) as low, upper(overlap) - 1 as high,
  n.unclaimed_lock is not null as of_emit
from spans
cross join lateral (
  ${notesAround('spans.lowest', 'spans.highest')}
) as n
cross join lateral (
  select attempt, range_agg(int8range(low, high, '[]')) as ids
  from unnest(n.run_lows, n.run_highs, n.run_attempts) as run (low, high, attempt) group by attempt
) as earlier
join ids on ids.attempt = earlier.attempt
cross join lateral unnest(ids.ids * earlier.ids) as overlap
where n.unclaimed_lock is null or not exists (
  select from pg_locks l
  where l.locktype = 'advisory' and l.objsubid = 1 and l.classid = (n.unclaimed_lock >> 32)::oid
    and l.objid = (n.unclaimed_lock & 4294967295)::oid
    and l.database = (select oid from pg_database where datname = current_database()) and not isempty(overlap)
    and exists (
      select from pg_stat_get_activity(l.pid) a join pg_roles r on pg_has_role(a.usesysid, r.oid, 'member')
      where has_table_privilege(r.oid, '{schema}.outbox'::regclass, 'delete')
    )
)
union all select null, null, null where ${SOMETHING_PAUSED}`,
)
