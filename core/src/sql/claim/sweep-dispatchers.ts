import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Dispatcher's housekeeping. Dispatchers that have not been heard of for `silentMs` are gone; and those that were heard of
 * in the future, before the clock of the database went back. One that lives says so again with its next heartbeat.
 */
export const sweepDispatchers = statement<[silentMs: number], never>(
  'sweep_dispatchers',
  `delete from {schema}.dispatchers where seen_at < clock_timestamp() - $1::double precision * interval '1 millisecond'
  or seen_at > clock_timestamp() + $1::double precision * interval '1 millisecond'`,
)
