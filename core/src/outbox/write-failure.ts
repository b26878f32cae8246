/** What the failure of a write outside a caller's transaction says of its outcome. Pure. */
import { isOutbusError } from '../errors.ts'
import { SQL_STATE } from '../postgres/postgres-errors.ts'

/**
 * - `refused`: nothing was written. Of a group, one may be at fault.
 * - `locked`: nothing was written, since another transaction holds a lock (55P03).
 * - `unknown`: the write may be committed.
 * - `unreachable`: Postgres cannot be reached.
 * - `stopped`: the bus stopped before the write was sent.
 */
export type WriteFailure = 'refused' | 'locked' | 'unknown' | 'unreachable' | 'stopped'

export function writeFailureOf(error: unknown): WriteFailure {
  if (!isOutbusError(error)) return 'unknown'
  switch (error.code) {
    case 'emit.outcome_unknown':
      return 'unknown'
    case 'database.unreachable':
      return 'unreachable'
    case 'bus.stopped':
      return 'stopped'
    // After a wait for the lock that was long enough.
    case 'emit.lock_timeout':
      return 'refused'
    default:
      return error.sqlState === SQL_STATE.lockNotAvailable ? 'locked' : 'refused'
  }
}

/** Whether each of a group may be written again by itself. */
export function mayBeRepeated(failure: WriteFailure): boolean {
  return failure === 'refused' || failure === 'locked'
}
