/** A policy's schedule as data, for a command line, a dashboard or a test. */
import { z } from 'zod'
import { parseWith } from '../validation/zod-error.ts'
import type { CustomStrategies, RetryFailure } from './next-attempt.ts'
import { capOf, delayRange, isRetryable, nextAttempt, paced, policyFor } from './next-attempt.ts'
import type { FailureKind } from '../contract/failure-kinds.ts'
import { FAILURE_KINDS } from '../contract/failure-kinds.ts'
import type { RetryPolicy, RetryPolicyInput } from './policy.ts'
import { parseRetryPolicy } from './policy.ts'

export interface RetryPreviewOptions {
  /** Any integer. The same seed gives the same schedule. */
  readonly seed: number
  /** What every attempt fails with. Default `{ kind: 'handler_error' }`. */
  readonly failure?: RetryFailure
  /** Needed to preview a custom policy as it would run. Default none. */
  readonly strategies?: CustomStrategies
}

const optionsSchema = z.strictObject({
  seed: z.int(),
  failure: z
    .strictObject({
      kind: z.enum(Object.keys(FAILURE_KINDS) as [FailureKind, ...FailureKind[]]),
      retryAfterMs: z.custom<number>((value) => typeof value === 'number').exactOptional(),
    })
    .default({ kind: 'handler_error' }),
  strategies: z.custom<CustomStrategies>((value) => typeof value === 'object').optional(),
})

export interface RetryPreviewStep {
  /** From 1: the retry after the `retry`-th attempt, which makes attempt `retry + 1`. */
  readonly retry: number
  /** The delay before this retry, in ms. */
  readonly afterMs: number
  /** The sum of the delays so far, in ms since the first failure. Attempts count as taking no time. */
  readonly atMs: number
  /**
   * The bounds of `afterMs`. They are exact, except that a custom strategy may return anything from 0 to the cap. With
   * jitter, a `maxMs` below the cap is approached and not reached.
   */
  readonly minMs: number
  readonly maxMs: number
  /** What in the policy could not be followed, such as a strategy that is not registered. */
  readonly warning?: string
}

/**
 * The schedule if every attempt fails: `maxAttempts − 1` steps, or none if the failure is not retryable. The preview
 * draws as a dispatcher does, but from `seed`.
 *
 * @throws OutbusError `retry.invalid` where a trigger with this policy would be refused
 */
export function previewRetry(policyInput: RetryPolicyInput, options: RetryPreviewOptions): readonly RetryPreviewStep[] {
  const policy = parseRetryPolicy(policyInput)
  const { seed, failure, strategies } = parseWith(optionsSchema, options, {
    code: 'options.invalid',
    what: 'previewRetry',
  })
  if (!isRetryable(policy, failure.kind)) return []
  const random = mulberry32(seed)
  const effective = policyFor(policy, failure.kind)
  const steps: RetryPreviewStep[] = []
  let atMs = 0
  for (let attempt = 1; attempt < effective.maxAttempts; attempt++) {
    const next = nextAttempt({ policy, attempt, failure, random, ...(strategies === undefined ? {} : { strategies }) })
    if (!next.retry) break
    atMs += next.delayMs
    const { minMs, maxMs } = bounds(effective, attempt, failure)
    const warning = next.warning === undefined ? {} : { warning: next.warning }
    steps.push({ retry: attempt, afterMs: next.delayMs, atMs, minMs, maxMs, ...warning })
  }
  return steps
}

function bounds(policy: RetryPolicy, attempt: number, failure: RetryFailure): { minMs: number; maxMs: number } {
  const cap = capOf(policy)
  if (policy.strategy === 'custom') return { minMs: paced(attempt, 0), maxMs: paced(attempt, cap) }
  // Jitter, `Retry-After` and the cap are monotone, so they carry the bounds as they carry a delay.
  const { range } = delayRange({ policy, attempt, failure, random: () => 0 })
  const asked = failure.retryAfterMs ?? 0
  const within = (ms: number) => paced(attempt, Math.min(cap, Math.max(ms, asked >= 0 ? Math.ceil(asked) : 0)))
  return { minMs: within(range.minMs), maxMs: within(range.maxMs) }
}

/**
 * A small 32-bit generator: mulberry32 by Tommy Ettinger, public domain,
 * https://gist.github.com/tommyettinger/46a874533244883189143505d203312c
 */
function mulberry32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
