import { z } from 'zod'

/** How a bus dispatches. The defaults suit one process with a few cores. */
export const dispatchSchema = z.strictObject({
  /** Claim loops, each with its own connection. Default 2. */
  lanes: z.int().min(1).max(64).default(2),
  /** Executions that run at a time in this process. Default 20. */
  concurrency: z.int().min(1).max(100_000).default(20),
  /**
   * Permits out of `concurrency` that only requests use, so that a backlog cannot starve a waiting caller. Less than
   * `concurrency`. Default a tenth of it, rounded up; 0 where it is 1.
   */
  requestConcurrency: z.int().min(0).max(99_999).optional(),
  /**
   * Transactional deliveries that run at a time in this process, each on its own connection, opened on demand. Default
   * 10.
   */
  transactions: z.int().min(1).max(1_000).default(10),
  /** How long a request waits for a permit before the answer is `overloaded`, in ms. Default 500. */
  overloadedAfterMs: z.int().min(1).max(600_000).default(500),
  /** Rows that one claim takes at most. Default 500. */
  batchRows: z.int().min(1).max(10_000).default(500),
  /** Stored bytes of events that one claim takes at most; one row is always taken. Default 8 MiB. */
  batchBytes: z.int().min(1).default(8_388_608),
  /** How long a claim transaction is held, in ms. What runs longer goes on under a lease. Default 200. */
  holdMs: z.int().min(1).max(60_000).default(200),
  /** How long a lease lasts, in ms. A live process extends its leases every third of that. Default 30,000. */
  leaseMs: z.int().min(100).max(86_400_000).default(30_000),
  /**
   * When Postgres ends the claim of a silent process, in ms; more than `holdMs`. A handler that blocks the event loop
   * for longer costs its batch a second run. Default 10,000.
   */
  frozenAfterMs: z.int().min(100).max(600_000).default(10_000),
  /** How often an idle lane looks by itself, in ms. Backs off to `maxPollMs` while LISTEN works. Default 100. */
  pollMs: z.int().min(1).max(60_000).default(100),
  /** The longest that an idle lane waits between two looks, in ms. Default 1,000. */
  maxPollMs: z.int().min(1).max(600_000).default(1_000),
  /**
   * How long deliveries wait for the application's own `PrincipalResolver` or `Authorizer` about one principal, in ms;
   * at most a third of `frozenAfterMs`. Then only this principal's deliveries fail as `unavailable` or are put back,
   * and the bus asks again after 30 s. Default 3,000.
   */
  principalTimeoutMs: z.int().min(1).max(600_000).default(3_000),
  /** How deep triggers may trigger each other; a deeper delivery is skipped. Default 8. */
  maxTriggerDepth: z.int().min(1).max(1_000).default(8),
})

export type DispatchOptions = z.input<typeof dispatchSchema>
export type DispatchSettings = z.output<typeof dispatchSchema> & { readonly requestConcurrency: number }

/** Two such waits fit into the time after which Postgres ends a silent claim. */
export function principalTimeoutMs({ principalTimeoutMs: asked, frozenAfterMs }: DispatchSettings): number {
  return Math.min(asked, Math.ceil(frozenAfterMs / 3))
}

/** When a process dies, the rows that it leased from their start wait this long. */
const SHORT_LEASE_MS = 5_000

export function shortLeaseMs({ leaseMs }: DispatchSettings): number {
  return Math.min(leaseMs, SHORT_LEASE_MS)
}
