import { statement } from '../../postgres/statement.ts'
import { RATE } from './trigger-limits.ts'

/**
 * Caller: Dispatcher's sweeps. Removes starts that no rate limit counts any more, and those of the future, noted
 * before the database's clock was set back. The table is read once, whatever a pinned horizon keeps in it.
 */
export const sweepTriggerStarts = statement<[olderThanMs: number], never>(
  'sweep_trigger_starts',
  `delete from {schema}.trigger_starts s
where (s.started_at < clock_timestamp() - $1::double precision * interval '1 millisecond'
  and not exists (
    select from {schema}.trigger_limits l
    where l.trigger_id = s.trigger_id and s.started_at >= clock_timestamp() - make_interval(secs => 1::double precision / (${RATE}))
  ))
  or s.started_at > clock_timestamp() + $1::double precision * interval '1 millisecond'`,
)
