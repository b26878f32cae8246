import { statement } from '../../postgres/statement.ts'

/**
 * Caller: LaneNote, when nobody knows whether an emit on the lane's connection was committed, and with it a note of a row that the lane will
 * not start. By no index, and as rare as it can be.
 */
export const withdrawEmitted = statement<[laneId: string, lock: number], never>(
  'withdraw_emitted',
  `delete from {schema}.claim_notes where unclaimed_lock = $2::bigint and lane_id = $1`,
)
