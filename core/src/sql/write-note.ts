import { statement } from './statement.ts'

/**
 * Caller: Lane, committed on a connection of its own between the claim and the first handler. Writes the lane's
 * note and answers with the ids among them that some note names with the same attempt: deliveries that were
 * started, and whose lane never came to settle them. (A statement's reads do not see its own writes, so the lane's
 * own earlier note counts too.) Id ranges first, so that the notes of many lanes stay cheap.
 */
export const writeNote = statement<
  [laneId: string, ids: readonly string[], attempts: readonly string[], lowestId: string, highestId: string],
  { id: string }
>(
  'write_note',
  `with noted as (
  insert into {schema}.claim_notes as n (lane_id, ids, attempts, lowest_id, highest_id)
  values ($1, $2::bigint[], $3::integer[], $4::bigint, $5::bigint)
  on conflict (lane_id) do update
  set ids = excluded.ids, attempts = excluded.attempts, lowest_id = excluded.lowest_id, highest_id = excluded.highest_id,
    noted_at = clock_timestamp()
)
select distinct earlier.id
from {schema}.claim_notes n
cross join lateral unnest(n.ids, n.attempts) as earlier (id, attempt)
join unnest($2::bigint[], $3::integer[]) as mine (id, attempt) on mine.id = earlier.id and mine.attempt = earlier.attempt
where n.lowest_id <= $5::bigint and n.highest_id >= $4::bigint`,
)
