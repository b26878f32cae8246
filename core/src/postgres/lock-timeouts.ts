/**
 * How long a shared transaction, or a single statement, waits for a lock. Then Postgres refuses (55P03) and the
 * connection is returned. A caller's own transaction waits longer ({@link DEFAULT_LOCK_TIMEOUT}).
 */
export const SHARED_LOCK_TIMEOUT = '20ms'

/**
 * How long an emit in a caller's transaction waits for a held ordering key or dedupe key, unless the transaction has
 * its own `lock_timeout`. Then the emit is refused (`emit.lock_timeout`), since the key may never be released.
 */
export const DEFAULT_LOCK_TIMEOUT = '10s'
