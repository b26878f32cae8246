/** How a statement that may wait for a row that another transaction has written waits no longer than a limit. */
import { LONGEST_WAIT } from '../../postgres/patience.ts'

/**
 * The expression `lock_wait`. Whatever waits has the condition {@link WAITS_BOUNDED}, so that it waits after `lock_timeout` is set. A
 * transaction that has a `lock_timeout` of its own keeps it. `given` is a parameter that goes before that; null: there is none.
 */
export function lockWait(given = 'null::text'): string {
  return `lock_wait as materialized (
  select current_setting('lock_timeout') as before, set_config('lock_timeout',
    coalesce(${given}, case current_setting('lock_timeout') when '0' then '${LONGEST_WAIT}' else current_setting('lock_timeout') end), true) as lock_timeout
)`
}

export const WAITS_BOUNDED = '(select lock_timeout from lock_wait) is not null'

/** The last column: all has been waited for by then, and the caller's transaction goes on as it was. */
export const AS_BEFORE = `set_config('lock_timeout', (select before from lock_wait), true) as lock_timeout`
