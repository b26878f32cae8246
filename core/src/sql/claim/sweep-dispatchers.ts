import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Dispatcher's sweeps. Dispatchers silent for `silentMs` are gone. So are those heard of in the future,
 * before the database's clock was set back; one that lives is back with its next heartbeat.
 */
export const sweepDispatchers = statement<[silentMs: number], never>(
  'sweep_dispatchers',
  `delete from {schema}.dispatchers where seen_at < clock_timestamp() - $1::double precision * interval '1 millisecond'
  or seen_at > clock_timestamp() + $1::double precision * interval '1 millisecond'`,
)
