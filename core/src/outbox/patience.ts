/**
 * Of a transaction that several share, or that is one statement: for a lock that another transaction holds and has not
 * committed. It is refused then and gives its connection back. In a caller's transaction it waits.
 */
export const PATIENCE = '20ms'

/** How Postgres refuses it. */
export const LOCK_NOT_AVAILABLE = '55P03'
