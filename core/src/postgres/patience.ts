/**
 * Of a transaction that several share, or that is one statement: for a lock that another transaction holds and has not
 * committed. It is refused then (55P03) and gives its connection back. In a caller's transaction it waits.
 */
export const PATIENCE = '20ms'

/**
 * How long an emit in a caller's transaction waits for an ordering key or a dedupe key that somebody holds, where the transaction
 * has no `lock_timeout` of its own. Then it is refused (`emit.lock_timeout`): whoever holds the key may never let it go.
 */
export const LONGEST_WAIT = '10s'
