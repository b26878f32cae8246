import { INSERT_ONE } from './emit-one.ts'
import type { InsertOneParameters } from './emit-one.ts'
import { statement } from '../../postgres/statement.ts'

/** The session setting with the row's id for `claim_emitted`, which is sent before the id is known. */
export const EMITTED_SETTING = 'outbus.emitted'

/**
 * Caller: Emitter, as `emit_one`, on the connection of a waiting lane, which claims the row in the same trip
 * (docs/claim-protocol.md). The lane's note commits with the row. Until the claim, an advisory lock says that the row
 * was not started. No row: the epoch differed. Nobody is notified.
 */
export const emitNoted = statement<
  [
    ...InsertOneParameters,
    laneId: string,
    lock: number,
    /** The lowest ids of the note that the lane left behind. */
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
