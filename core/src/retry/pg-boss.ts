/** Retry policies as pg-boss has them, for services that move from it and want the timing that they know. */
import { z } from 'zod'
import { parseWith } from '../validation/zod-error.ts'
import type { RetryPolicy } from './policy.ts'
import { MAX_ATTEMPTS, MAX_DELAY_MS, parseRetryPolicy } from './policy.ts'

/** pg-boss's own option names and units: delays are in **seconds**. */
export interface PgBossRetryOptions {
  /** Retries after the first attempt: 0 to 9999. Default 2. */
  readonly retryLimit?: number | undefined
  /** An integer of seconds from 0 to 157,788,000 (five years). Default 0. With backoff, 0 counts as 1. */
  readonly retryDelay?: number | undefined
  /** Exponential, with jitter. Default false: constant, without. */
  readonly retryBackoff?: boolean | undefined
  /** With backoff only: no delay is longer. An integer of seconds from 0 (a real cap: retried at once) to
   * 315,576,000; null, the default, for none. */
  readonly retryDelayMax?: number | null | undefined
}

const DEFAULTS = { retryLimit: 2, retryDelay: 0, retryBackoff: false, retryDelayMax: null }
/** `LEAST(16, retry_count + 1)` is the exponent of the upper end, so 15 doublings of the first delay. */
const MAX_DOUBLINGS = 15

// The same refusals as pg-boss's validateRetryConfig (attorney.js), with upper limits where our policies have some.
const optionsSchema = z
  .strictObject({
    retryLimit: z
      .int()
      .min(0)
      .max(MAX_ATTEMPTS - 1)
      .default(DEFAULTS.retryLimit),
    // Half the limit of a policy's delays, since with backoff the base is twice the delay.
    retryDelay: z
      .int()
      .min(0)
      .max(MAX_DELAY_MS / 2000)
      .default(DEFAULTS.retryDelay),
    retryBackoff: z.boolean().default(DEFAULTS.retryBackoff),
    retryDelayMax: z
      .int()
      .min(0)
      .max(MAX_DELAY_MS / 1000)
      .nullable()
      .default(DEFAULTS.retryDelayMax),
  })
  .superRefine(({ retryBackoff, retryDelayMax }, context) => {
    if (retryBackoff || retryDelayMax === null) return
    context.addIssue({
      code: 'custom',
      path: ['retryDelayMax'],
      message: 'retryDelayMax can only be set where retryBackoff is true',
      input: retryDelayMax,
    })
  })

/**
 * The policy that retries with exactly pg-boss 12's timing: `retryLimit + 1` attempts; without backoff each retry
 * after `retryDelay` seconds; with it the n-th retry after
 *
 *     min(retryDelayMax, max(retryDelay, 1) · (2^e / 2 + 2^e / 2 · random())) seconds, e = min(16, n)
 *
 * which is in `max(retryDelay, 1) · [2^(n − 1), 2^n)` before the cap. Source: the statement that fails jobs in pg-boss
 * 12.38.0, `dist/plans.js`, where `e = LEAST(16, retry_count + 1)` and `retry_count` is n − 1. What differs: whole ms
 * where pg-boss keeps microseconds, no delay above ten years, none below 100 ms from the tenth retry on, and the kinds
 * of failure that are not retryable here, for which pg-boss has no word: override those that you want retried.
 *
 * @throws OutbusError `retry.invalid`: for what pg-boss refuses (a number that is negative or no integer,
 * `retryDelayMax` without `retryBackoff`), for what is above the limits, and for unknown keys, with the nearest known one
 */
export function fromPgBoss(options: PgBossRetryOptions = {}): RetryPolicy {
  const { retryLimit, retryDelay, retryBackoff, retryDelayMax } = parseWith(optionsSchema, options, {
    code: 'retry.invalid',
    what: 'pg-boss retry options',
  })
  const maxAttempts = retryLimit + 1
  if (!retryBackoff) return constant(maxAttempts, retryDelay * 1000, null)

  const firstMs = Math.max(retryDelay, 1) * 1000
  const maxDelayMs = retryDelayMax === null ? null : retryDelayMax * 1000
  // A cap that no delay can stay below leaves nothing to chance: every delay is the cap. Said as a constant, the
  // policy keeps the rule that a cap is not below the least delay, and so parses when it is read back.
  if (maxDelayMs !== null && maxDelayMs <= firstMs) return constant(maxAttempts, maxDelayMs, maxDelayMs)
  return parseRetryPolicy({
    strategy: 'exponential',
    maxAttempts,
    // Equal jitter takes half of it for certain and draws the other half: [first, 2 · first).
    baseDelayMs: 2 * firstMs,
    maxDelayMs,
    jitter: 'equal',
    maxDoublings: MAX_DOUBLINGS,
  })
}

function constant(maxAttempts: number, baseDelayMs: number, maxDelayMs: number | null): RetryPolicy {
  return parseRetryPolicy({ strategy: 'constant', maxAttempts, baseDelayMs, maxDelayMs, jitter: 'none' })
}
