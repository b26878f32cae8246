/** How a statement limits its waits for rows of other transactions. */
import { DEFAULT_LOCK_TIMEOUT } from '../../postgres/lock-timeouts.ts'

/**
 * The expression `lock_wait`. Every part that waits has the condition {@link WAITS_BOUNDED}, so that `lock_timeout` is
 * set first. The transaction's own `lock_timeout` is kept, unless the parameter `given` is not null.
 */
export function lockWait(given = 'null::text'): string {
  return `lock_wait as materialized (
  select current_setting('lock_timeout') as before, set_config('lock_timeout',
    coalesce(${given}, case current_setting('lock_timeout') when '0' then '${DEFAULT_LOCK_TIMEOUT}' else current_setting('lock_timeout') end), true) as lock_timeout
)`
}

export const WAITS_BOUNDED = '(select lock_timeout from lock_wait) is not null'

/** The last column restores the caller's `lock_timeout` after all waits. */
export const AS_BEFORE = `set_config('lock_timeout', (select before from lock_wait), true) as lock_timeout`
