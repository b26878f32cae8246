/**
 * Callers: LaneConnection, where the session is not its own with each transaction; Starts. How claims run, and how their statements are planned.
 *
 * - Postgres itself ends the claim of a process that says nothing for `frozenAfterMs`.
 * - No scan of the table, no sort, no bitmap: a plan made while the outbox is empty would prefer them, and be kept when
 *   a million rows have come and nobody has analyzed yet. The claim is right by its index at any size.
 * - Nothing remembered of rows that are asked for once each.
 * - One plan for all parameters, for the same reason; the settle's lists of ids were planned anew each time, 0.3 ms for 500.
 * - No JIT: a plan that needs what is switched off all the same counts as very dear, and was compiled for 340 ms.
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
