import { statement } from './statement.ts'

/** A run of ids; without any: some trigger is paused. */
export type OverlapRow = { readonly low: string; readonly high: string } | { readonly low: null; readonly high: null }

/**
 * Caller: Lane, committed on a connection of its own between the claim and the first handler. Writes the lane's
 * note and answers with the runs of ids among them that some note names with the same attempt: deliveries that were
 * started, and whose lane never came to settle them. (A statement's reads do not see its own writes, so the lane's
 * own earlier note counts too.) The range of all ids first, so that the notes of many lanes stay cheap.
 */
export const writeNote = statement<
  [
    laneId: string,
    runLows: readonly number[],
    runHighs: readonly number[],
    runAttempts: readonly number[],
    lowest: number,
    highest: number,
  ],
  OverlapRow
>(
  'write_note',
  `with noted as (
  insert into {schema}.claim_notes as n (lane_id, run_lows, run_highs, run_attempts, lowest_id, highest_id)
  values ($1, $2::bigint[], $3::bigint[], $4::integer[], $5::bigint, $6::bigint)
  on conflict (lane_id) do update
  set run_lows = excluded.run_lows, run_highs = excluded.run_highs, run_attempts = excluded.run_attempts,
    lowest_id = excluded.lowest_id, highest_id = excluded.highest_id, noted_at = clock_timestamp()
)
select greatest(earlier.low, mine.low) as low, least(earlier.high, mine.high) as high
from {schema}.claim_notes n
cross join lateral unnest(n.run_lows, n.run_highs, n.run_attempts) as earlier (low, high, attempt)
join unnest($2::bigint[], $3::bigint[], $4::integer[]) as mine (low, high, attempt)
  on mine.attempt = earlier.attempt and mine.low <= earlier.high and mine.high >= earlier.low
where n.lowest_id <= $6::bigint and n.highest_id >= $5::bigint
union all select null, null where exists (select from {schema}.pauses)`,
)
