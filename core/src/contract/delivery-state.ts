/**
 * Where a delivery is that has no outcome yet. One closed union, the same words in the API, in filters and in SQL.
 *
 * - `waiting`: for its first attempt. One that a dispatcher has claimed in a batch still counts as waiting, for a fifth of a second
 *   at most; then it has ended, or is under a lease.
 * - `retrying`: for another attempt.
 * - `parked`: set aside, since its trigger or its app is paused, or since its trigger is disabled.
 * - `running`: under a lease, by whoever runs it.
 * - `leased`: its lease has run out. Whoever ran it is gone, and the next dispatcher takes it over.
 */
export const DELIVERY_STATES = ['waiting', 'retrying', 'parked', 'running', 'leased'] as const

export type DeliveryState = (typeof DELIVERY_STATES)[number]
