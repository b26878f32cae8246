/**
 * Of a transaction that several share, or that is one statement: for a lock that another transaction holds and has not
 * committed. It is refused then (55P03) and gives its connection back. In a caller's transaction it waits.
 */
export const PATIENCE = '20ms'
