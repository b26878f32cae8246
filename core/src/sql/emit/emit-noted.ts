import { INSERT_ONE } from './emit-one.ts'
import type { InsertOneParameters } from './emit-one.ts'
import { statement } from '../../postgres/statement.ts'

/** Where the session keeps the id of the row for `claim_emitted`, which is on its way before the id is known. */
export const EMITTED_SETTING = 'outbus.emitted'

/**
 * Caller: Emitter, for what `emit_one` is for, on the connection of a lane that waits and claims the row next, in the same trip. The
 * lane's note of it commits with it: of the first attempt at a row that nobody has seen yet. So that nobody who claims it
 * before takes it for one that was started, the session holds an advisory lock until it is claimed (`write_note`). No row in
 * the answer: the epoch is another one, and nothing was written. Notifies nobody.
 */
export const emitNoted = statement<
  [
    ...InsertOneParameters,
    laneId: string,
    lock: number,
    /** The lowest ids of the note that the lane left; none where there is none. */
    left: readonly number[],
  ],
  { id: string }
>(
  'emit_noted',
  `with gone as (
  delete from {schema}.claim_notes where lowest_id = any ($16::bigint[]) and lane_id = $14
), written as (
  ${INSERT_ONE}
  returning id
), noted as (
  insert into {schema}.claim_notes (lane_id, lowest_id, highest_id, run_lows, run_highs, run_attempts, unclaimed_lock)
  select $14, id, id, array[id], array[id], array[1], $15 from written
)
select id::text, set_config('${EMITTED_SETTING}', id::text, false), pg_advisory_lock($15::bigint)
from written`,
)
