/** What holds for every policy, whatever is drawn. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FailureKind } from '../contract/failure-kinds.ts'
import { FAILURE_KINDS } from '../contract/failure-kinds.ts'
import type { NextAttemptArgs } from './next-attempt.ts'
import { delayRange, nextAttempt, paced } from './next-attempt.ts'
import type { PgBossRetryOptions } from './pg-boss.ts'
import { fromPgBoss } from './pg-boss.ts'
import type { RetryPolicy, RetryPolicyInput } from './policy.ts'
import { MAX_ATTEMPTS, MAX_DELAY_MS, parseRetryPolicy } from './policy.ts'
import { previewRetry } from './preview.ts'

/** In [0, 1), its ends included: the ends are where rounding goes wrong. */
const randoms = fc.oneof(
  fc.constantFrom(0, 1 - 2 ** -53),
  fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
)

const delays = fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: MAX_DELAY_MS }))
const jitters = fc.oneof(
  fc.constantFrom('full' as const, 'equal' as const, 'none' as const),
  fc.constantFrom(0, 1),
  fc.double({ min: 0, max: 1, noNaN: true }),
)

const attempts = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: MAX_ATTEMPTS }))
const kinds = fc.constantFrom(...(Object.keys(FAILURE_KINDS) as FailureKind[]))

/** Valid, of every strategy but custom. */
const policies = fc
  .record({
    strategy: fc.constantFrom('constant' as const, 'linear' as const, 'exponential' as const),
    maxAttempts: attempts,
    ends: fc.tuple(delays, delays),
    capped: fc.boolean(),
    jitter: jitters,
    maxDoublings: fc.option(fc.integer({ min: 0, max: 1023 }), { nil: undefined }),
  })
  .map(({ strategy, maxAttempts, ends, capped, jitter, maxDoublings }) => ({
    strategy,
    maxAttempts,
    baseDelayMs: Math.min(...ends),
    maxDelayMs: capped ? Math.max(...ends) : null,
    jitter,
    ...(strategy === 'exponential' ? { maxDoublings } : {}),
  }))

const customs = fc
  .record({ schedule: policies, name: fc.string({ minLength: 1, maxLength: 128 }) })
  .map(({ schedule, name }) => ({ ...schedule, maxDoublings: undefined, strategy: 'custom' as const, name }))

const overrides = fc.dictionary(
  kinds,
  fc.oneof(
    fc.constant(false as const),
    fc.record({ retryable: fc.boolean() }),
    policies.map((schedule) => ({ ...schedule, retryable: true })),
    customs.map((schedule) => ({ ...schedule, retryable: true })),
  ),
)

/** Valid, of every strategy, with overrides. */
const anyPolicies: fc.Arbitrary<RetryPolicyInput> = fc
  .record({ schedule: fc.oneof(policies, customs), overrides })
  .map(({ schedule, overrides }) => ({ ...schedule, overrides }))

function delay(args: NextAttemptArgs): number {
  const next = nextAttempt(args)
  if (!next.retry) throw new Error(next.reason)
  return next.delayMs
}

const stored = (policy: RetryPolicy): unknown => JSON.parse(JSON.stringify(policy))

describe('every policy', () => {
  const cases = { policy: policies, attempt: attempts, drawn: randoms }

  test('gives whole ms within its bounds and never above its cap, but for the least delay of later attempts', () => {
    fc.assert(
      fc.property(fc.record(cases), ({ policy, attempt, drawn }) => {
        const parsed = parseRetryPolicy({ ...policy, maxAttempts: 10_000 })
        const cap = parsed.maxDelayMs ?? MAX_DELAY_MS
        const args = {
          policy: parsed,
          attempt: Math.min(attempt, 9999),
          failure: { kind: 'timeout' },
          random: () => drawn,
        } as const
        const delayMs = delay(args)
        const { minMs, maxMs } = delayRange(args).range
        expect(Number.isSafeInteger(delayMs)).toBe(true)
        expect(delayMs).toBeGreaterThanOrEqual(paced(attempt, Math.min(cap, minMs)))
        expect(delayMs).toBeLessThanOrEqual(paced(attempt, Math.min(cap, maxMs)))
        const isPaced = paced(attempt, maxMs) > maxMs || delayMs === paced(attempt, 0)
        if (minMs < maxMs && maxMs <= cap && !isPaced) expect(delayMs).toBeLessThan(maxMs)
      }),
    )
  })

  test('never waits for less after a later attempt than it may after an earlier one', () => {
    fc.assert(
      fc.property(
        fc.record({ policy: policies, attempt: fc.integer({ min: 1, max: 9998 }) }),
        ({ policy, attempt }) => {
          const args = { policy: parseRetryPolicy(policy), failure: { kind: 'timeout' }, random: () => 0 } as const
          const [earlier, later] = [
            delayRange({ ...args, attempt }).range,
            delayRange({ ...args, attempt: attempt + 1 }).range,
          ]
          expect(later.minMs).toBeGreaterThanOrEqual(earlier.minMs)
          expect(later.maxMs).toBeGreaterThanOrEqual(earlier.maxMs)
        },
      ),
    )
  })

  test('never lets Retry-After undercut the schedule or break the cap, whatever it says', () => {
    fc.assert(
      fc.property(fc.record({ ...cases, retryAfterMs: fc.double() }), ({ policy, attempt, drawn, retryAfterMs }) => {
        const parsed = parseRetryPolicy({ ...policy, maxAttempts: 10_000 })
        const args = {
          policy: parsed,
          attempt: Math.min(attempt, 9999),
          failure: { kind: 'handler_error' },
          random: () => drawn,
        } as const
        const without = delay(args)
        const delayMs = delay({ ...args, failure: { kind: 'handler_error', retryAfterMs } })
        expect(delayMs).toBeGreaterThanOrEqual(without)
        expect(delayMs).toBeLessThanOrEqual(paced(attempt, parsed.maxDelayMs ?? MAX_DELAY_MS))
      }),
    )
  })

  test('retries exactly while attempts are left', () => {
    fc.assert(
      fc.property(fc.record({ ...cases, kind: kinds }), ({ policy, attempt, kind }) => {
        const parsed = parseRetryPolicy(policy)
        const result = nextAttempt({ policy: parsed, attempt, failure: { kind }, random: () => 0 })
        expect(result.retry).toBe(FAILURE_KINDS[kind].retryable && attempt < parsed.maxAttempts)
      }),
    )
  })

  test('survives whatever a custom strategy returns or throws', () => {
    fc.assert(
      fc.property(fc.anything(), fc.boolean(), (value, throws) => {
        const tides = (): never => {
          if (throws) throw value
          return value as never
        }
        const policy = parseRetryPolicy({ strategy: 'custom', name: 'tides' })
        const delayMs = delay({
          policy,
          attempt: 1,
          failure: { kind: 'timeout' },
          random: () => 0.5,
          strategies: { tides },
        })
        expect(Number.isSafeInteger(delayMs) && delayMs >= 0 && delayMs <= 3_600_000).toBe(true)
      }),
    )
  })
})

test('a preview keeps every delay within the bounds it states, and its times add up', () => {
  fc.assert(
    fc.property(
      fc.record({ input: policies, seed: fc.integer(), retryAfterMs: fc.option(fc.double(), { nil: undefined }) }),
      ({ input, seed, retryAfterMs }) => {
        const policy = parseRetryPolicy({ ...input, maxAttempts: 50 })
        const failure = { kind: 'timeout', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } as const
        let sum = 0
        for (const { afterMs, atMs, minMs, maxMs } of previewRetry(policy, { seed, failure })) {
          sum += afterMs
          expect(atMs).toBe(sum)
          expect(afterMs).toBeGreaterThanOrEqual(minMs)
          expect(afterMs).toBeLessThanOrEqual(maxMs)
        }
      },
    ),
  )
})

test('a policy read back from a row or a trigger is the policy that was written', () => {
  fc.assert(
    fc.property(anyPolicies, (input) => {
      const policy = parseRetryPolicy(input)
      expect(parseRetryPolicy(stored(policy))).toEqual(policy)
    }),
  )
})

test('whatever is given for a policy is refused with one error, or is one that delays by whole ms within its cap', () => {
  const odd = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(null, '5', true, 2 ** 31, -1, 'full'), fc.anything())
  const members = [
    'strategy',
    'maxAttempts',
    'baseDelayMs',
    'maxDelayMs',
    'jitter',
    'maxDoublings',
    'name',
    'overrides',
  ]
  const mixed = fc
    .tuple(anyPolicies, fc.dictionary(fc.constantFrom(...members), odd, { maxKeys: 3 }))
    .map(([policy, changes]) => ({ ...policy, ...changes }))
  let taken = 0
  fc.assert(
    fc.property(fc.oneof(mixed, fc.anything()), kinds, randoms, (input, kind, drawn) => {
      let policy: RetryPolicy
      try {
        policy = parseRetryPolicy(input)
      } catch (error) {
        expect(error).toMatchObject({ name: 'OutbusError', code: 'retry.invalid', path: expect.any(String) })
        return
      }
      taken++
      const next = nextAttempt({ policy, attempt: 1, failure: { kind }, random: () => drawn })
      if (next.retry) expect(Number.isSafeInteger(next.delayMs) && next.delayMs <= MAX_DELAY_MS).toBe(true)
    }),
    { numRuns: 1_000 },
  )
  expect(taken).toBeGreaterThan(50)
})

describe('from pg-boss', () => {
  /** Delay before the n-th retry, in ms. */
  function delayOf(options: PgBossRetryOptions, n: number, drawn: number): number {
    const policy = fromPgBoss({ ...options, retryLimit: 9999 })
    return delay({ policy, attempt: n, failure: { kind: 'handler_error' }, random: () => drawn })
  }

  /** pg-boss 12.38.0, dist/plans.js, `failJobs`, in ms; LEAST leaves nulls aside. `retry_count` before the n-th retry is n − 1. */
  function pgBossDelay(
    { retryDelay = 0, retryBackoff = false, retryDelayMax = null }: PgBossRetryOptions,
    n: number,
    drawn: number,
  ): number {
    if (!retryBackoff) return retryDelay * 1000
    const power = 2 ** Math.min(16, n)
    return (
      1000 *
      Math.min(retryDelayMax ?? Number.POSITIVE_INFINITY, Math.max(retryDelay, 1) * (power / 2 + (power / 2) * drawn))
    )
  }

  const options = fc.record({
    retryDelay: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 100_000 })),
    retryBackoff: fc.constant(true),
    retryDelayMax: fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 1_000_000 })),
  })
  const nth = fc.integer({ min: 1, max: 40 })

  test('without backoff every retry waits retryDelay, without jitter', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 157_788_000 }), nth, randoms, (retryDelay, n, drawn) => {
        expect(delayOf({ retryDelay }, n, drawn)).toBe(paced(n, retryDelay * 1000))
      }),
    )
  })

  test('with backoff the n-th retry is in base · [2^(n−1), 2^n) s, capped', () => {
    fc.assert(
      fc.property(options, nth, randoms, (given, n, drawn) => {
        const base = Math.max(given.retryDelay, 1) * 1000
        const doublings = Math.min(15, n - 1)
        const cap = Math.min(MAX_DELAY_MS, (given.retryDelayMax ?? Number.POSITIVE_INFINITY) * 1000)
        const [low, high] = [base * 2 ** doublings, base * 2 ** (doublings + 1)]
        const delayMs = delayOf(given, n, drawn)
        expect(delayMs).toBeGreaterThanOrEqual(Math.min(cap, low))
        expect(delayMs).toBeLessThanOrEqual(paced(n, cap))
        if (cap >= high) expect(delayMs).toBeLessThan(high)
      }),
    )
  })

  test("for the same draw the delay is pg-boss's own, to the ms, but for the least delay of later attempts", () => {
    fc.assert(
      fc.property(options, nth, randoms, (given, n, drawn) => {
        const expected = paced(n, Math.min(MAX_DELAY_MS, pgBossDelay(given, n, drawn)))
        expect(Math.abs(delayOf(given, n, drawn) - expected)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('a policy from pg-boss can be stored with a trigger and read back, small caps included', () => {
    fc.assert(
      fc.property(options, fc.integer({ min: 0, max: 9999 }), (given, retryLimit) => {
        const policy = fromPgBoss({ ...given, retryLimit })
        expect(parseRetryPolicy(stored(policy))).toEqual(policy)
      }),
    )
  })
})
