import { statement } from '../../postgres/statement.ts'

/**
 * Caller: LaneNote, if it is unknown whether an emit on the lane's connection was committed. A note of a row that the
 * lane will not start would have committed with it. No index serves it, for it is rare.
 */
export const withdrawEmitted = statement<[laneId: string, lock: number], never>(
  'withdraw_emitted',
  `delete from {schema}.claim_notes where unclaimed_lock = $2::bigint and lane_id = $1`,
)
