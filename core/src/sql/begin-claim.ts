/**
 * Caller: LaneConnection. Settings are local to the transaction, so that they work behind a transaction-mode pooler.
 *
 * - Postgres itself ends the claim of a process that says nothing for `frozenAfterMs`.
 * - No scan of the table, no sort, no bitmap: a plan made while the outbox is empty would prefer them, and be kept when
 *   a million rows have come and nobody has analyzed yet. The claim is right by its index at any size.
 * - One plan for all parameters, for the same reason; the settle's lists of ids were planned anew each time, 0.3 ms for 500.
 * - No JIT: a plan that needs what is switched off all the same counts as very dear, and was compiled for 340 ms.
 */
export function beginClaim(frozenAfterMs: number): string {
  return [
    'begin',
    `set local idle_in_transaction_session_timeout = ${Math.ceil(frozenAfterMs)}`,
    'set local plan_cache_mode = force_generic_plan',
    'set local enable_seqscan = off',
    'set local enable_bitmapscan = off',
    'set local enable_sort = off',
    'set local jit = off',
  ].join('; ')
}
