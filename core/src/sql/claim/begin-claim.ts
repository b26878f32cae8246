/**
 * Callers: LaneConnection, if the session is not its own with each transaction; Dispatcher, for Starts; RequestLane.
 * How claims run and are planned:
 *
 * - Postgres ends the claim of a process that says nothing for `frozenAfterMs`.
 * - No table scan, sort or bitmap: a plan made while the outbox is empty would prefer them, and stay when a million
 *   rows have come. A claim by its index is right at any size.
 * - No memoize, because each row is asked for once.
 * - One plan for all parameters. The settle's lists of ids were planned anew each time, 0.3 ms for 500.
 * - No JIT: a plan that needs what is switched off counts as very dear, and was compiled for 340 ms.
 */
export function claimSettings(frozenAfterMs: number): string[] {
  return [
    `idle_in_transaction_session_timeout = ${Math.ceil(frozenAfterMs)}`,
    'plan_cache_mode = force_generic_plan',
    'enable_seqscan = off',
    'enable_bitmapscan = off',
    'enable_sort = off',
    'enable_memoize = off',
    'jit = off',
  ]
}

/** Once, on a connection of the lane's own. */
export function setUpClaims(frozenAfterMs: number): string {
  return claimSettings(frozenAfterMs)
    .map((setting) => `set ${setting}`)
    .join('; ')
}
