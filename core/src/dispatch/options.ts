import { z } from 'zod'

/** How a bus dispatches. Everything has a default that suits one process with a few cores. */
export const dispatchSchema = z.strictObject({
  /** Claim loops, each with a connection of its own. Default 2. */
  lanes: z.int().min(1).max(64).default(2),
  /** Executions that run at a time in this process. Default 20. */
  concurrency: z.int().min(1).max(100_000).default(20),
  /**
   * Of them, how many are kept for requests, so that a backlog cannot starve who waits for a reply; less than
   * `concurrency`. Default a tenth of it, rounded up; none where it is 1.
   */
  requestConcurrency: z.int().min(0).max(99_999).optional(),
  /** Transactional deliveries that run at a time in this process, each on a connection of its own, opened when used. Default 10. */
  transactions: z.int().min(1).max(1_000).default(10),
  /** How long a request may wait for a permit, in ms, before it is answered `overloaded`. Default 500. */
  overloadedAfterMs: z.int().min(1).max(600_000).default(500),
  /** Rows that one claim takes at most. Default 500. */
  batchRows: z.int().min(1).max(10_000).default(500),
  /** Stored bytes of events that one claim takes at most; one row is always taken. Default 8 MiB. */
  batchBytes: z.int().min(1).default(8_388_608),
  /** How long a claim transaction is held, in ms; what runs longer goes on under a lease. Default 200. */
  holdMs: z.int().min(1).max(60_000).default(200),
  /** How long a lease lasts, in ms; extended every third of it while its process lives. Default 30,000. */
  leaseMs: z.int().min(100).max(86_400_000).default(30_000),
  /**
   * When Postgres ends the claim of a process that says nothing, in ms; more than `holdMs`. A handler that blocks
   * the event loop for longer costs its batch a second run. Default 10,000.
   */
  frozenAfterMs: z.int().min(100).max(600_000).default(10_000),
  /** How often an idle lane looks without being told, in ms; backs off to `maxPollMs` while LISTEN works. Default 100. */
  pollMs: z.int().min(1).max(60_000).default(100),
  /** Default 1,000. */
  maxPollMs: z.int().min(1).max(600_000).default(1_000),
  /**
   * How long deliveries wait for what a `PrincipalResolver` or an `Authorizer` of the application's own says of one principal, in ms; a
   * third of `frozenAfterMs` at most. Then that principal's deliveries fail as `unavailable` or are put back, and those of others go on.
   * It is not asked about that principal again for 30 s. Default 3,000.
   */
  principalTimeoutMs: z.int().min(1).max(600_000).default(3_000),
  /** How deep triggers may trigger each other; beyond it a delivery is skipped. Default 8. */
  maxTriggerDepth: z.int().min(1).max(1_000).default(8),
})

export type DispatchOptions = z.input<typeof dispatchSchema>
export type DispatchSettings = z.output<typeof dispatchSchema> & { readonly requestConcurrency: number }

/** Two such waits fit into a claim that says nothing. */
export function principalTimeoutMs({ principalTimeoutMs: asked, frozenAfterMs }: DispatchSettings): number {
  return Math.min(asked, Math.ceil(frozenAfterMs / 3))
}

/** Of what is under a lease from its start: when its process dies, somebody notices after this. */
const SHORT_LEASE_MS = 5_000

export function shortLeaseMs({ leaseMs }: DispatchSettings): number {
  return Math.min(leaseMs, SHORT_LEASE_MS)
}
