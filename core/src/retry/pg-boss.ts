/** Retry policies with pg-boss's options and timing, for services that move from pg-boss. */
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
  /** Exponential with jitter. Default false: constant, without jitter. */
  readonly retryBackoff?: boolean | undefined
  /**
   * The longest delay, with backoff only. An integer of seconds from 0 (retried at once) to 315,576,000; null, the
   * default, for none.
   */
  readonly retryDelayMax?: number | null | undefined
}

const DEFAULTS = { retryLimit: 2, retryDelay: 0, retryBackoff: false, retryDelayMax: null }
/** pg-boss's exponent is at most 16, which allows 15 doublings of the first delay. */
const MAX_DOUBLINGS = 15

// Refuses what pg-boss's validateRetryConfig (attorney.js) refuses, and what is above our policies' limits.
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
 * The policy that retries with exactly pg-boss 12's timing, in `retryLimit + 1` attempts. Without backoff each retry
 * comes after `retryDelay` seconds. With backoff the n-th retry comes after
 *
 *     min(retryDelayMax, max(retryDelay, 1) · (2^e / 2 + 2^e / 2 · random())) seconds, e = min(16, n)
 *
 * which is in `max(retryDelay, 1) · [2^(n − 1), 2^n)` before the cap. Source: the statement that fails jobs in pg-boss
 * 12.38.0, `dist/plans.js`, where `e = LEAST(16, retry_count + 1)` and `retry_count` is n − 1.
 *
 * Unlike pg-boss, delays are whole ms, at most ten years, and at least 100 ms from the tenth retry on. Some failure
 * kinds are not retryable, unless the policy overrides them.
 *
 * @throws OutbusError `retry.invalid`: for what pg-boss refuses (a number that is negative or no integer,
 * `retryDelayMax` without `retryBackoff`), for what is above the limits, and for unknown keys, with the nearest known
 * one
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
  // If no delay stays below the cap, every delay is the cap. As a constant, the policy keeps the rule that a cap is not
  // below the least delay, and so parses when it is read back.
  if (maxDelayMs !== null && maxDelayMs <= firstMs) return constant(maxAttempts, maxDelayMs, maxDelayMs)
  return parseRetryPolicy({
    strategy: 'exponential',
    maxAttempts,
    // Equal jitter keeps half of this and draws the other half: [first, 2 · first).
    baseDelayMs: 2 * firstMs,
    maxDelayMs,
    jitter: 'equal',
    maxDoublings: MAX_DOUBLINGS,
  })
}

function constant(maxAttempts: number, baseDelayMs: number, maxDelayMs: number | null): RetryPolicy {
  return parseRetryPolicy({ strategy: 'constant', maxAttempts, baseDelayMs, maxDelayMs, jitter: 'none' })
}
