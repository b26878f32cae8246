import { describe, expect, test, vi } from 'vitest'
import { FAILURE_KINDS } from '../contract/failure-kinds.ts'
import type { FailureKind } from '../contract/failure-kinds.ts'
import type { CustomStrategies, NextAttempt, NextAttemptArgs } from './next-attempt.ts'
import { nextAttempt } from './next-attempt.ts'
import type { RetryPolicyInput } from './policy.ts'
import { MAX_DELAY_MS, parseRetryPolicy } from './policy.ts'

interface Given extends Partial<Omit<NextAttemptArgs, 'policy'>> {
  readonly policy?: RetryPolicyInput
}

function next({ policy = {}, ...rest }: Given): NextAttempt {
  const failure = { kind: 'handler_error' } as const
  return nextAttempt({
    policy: parseRetryPolicy({ maxAttempts: 10_000, ...policy }),
    attempt: 1,
    failure,
    random: () => 0.5,
    ...rest,
  })
}

function delay(given: Given): number {
  const result = next(given)
  if (!result.retry) throw new Error(result.reason)
  return result.delayMs
}

describe('strategies', () => {
  test.each<[RetryPolicyInput['strategy'], number[]]>([
    ['constant', [100, 100, 100, 100]],
    ['linear', [100, 200, 300, 400]],
    ['exponential', [100, 200, 400, 800]],
  ])('%s waits as its name says', (strategy, expected) => {
    const policy = { strategy, baseDelayMs: 100, jitter: 'none' } as const
    expect([1, 2, 3, 4].map((attempt) => delay({ policy, attempt }))).toEqual(expected)
  })

  test('maxDoublings ends the growth', () => {
    const policy = { baseDelayMs: 100, jitter: 'none', maxDoublings: 2 } as const
    expect([1, 2, 3, 4, 5].map((attempt) => delay({ policy, attempt }))).toEqual([100, 200, 400, 400, 400])
  })

  test.each([0, 'none', 1, 'full', 'equal'] as const)(
    'an exponent that overflows ends at the cap and is not NaN (jitter %s)',
    (jitter) => {
      const policy = { baseDelayMs: 1_000_000, maxDelayMs: null, jitter, maxDoublings: 1023 }
      expect(delay({ policy, attempt: 9999 })).toBe(MAX_DELAY_MS)
    },
  )
})

describe('jitter', () => {
  const almostOne = 1 - 2 ** -53
  test.each([
    ['none', 1000, 1000, 1000],
    [0, 1000, 1000, 1000],
    [0.2, 800, 1000, 1199],
    [1, 0, 1000, 1999],
    ['full', 0, 500, 999],
    ['equal', 500, 750, 999],
  ] as const)('%s spreads 1000 ms from %i over %i to %i', (jitter, low, middle, high) => {
    const policy = { baseDelayMs: 1000, jitter }
    expect([0, 0.5, almostOne].map((drawn) => delay({ policy, random: () => drawn }))).toEqual([low, middle, high])
  })

  test('the cap comes after the jitter: delays beyond it are the cap itself, and those below keep their spread', () => {
    const policy = { baseDelayMs: 1000, maxDelayMs: 1100, jitter: 0.2 }
    expect(delay({ policy, random: () => 0 })).toBe(800)
    expect(delay({ policy, random: () => 0.9 })).toBe(1100)
    expect(delay({ policy, attempt: 2, random: () => 0 })).toBe(1100)
  })
})

describe('whether to retry', () => {
  test('the last attempt is not followed by another', () => {
    expect(next({ policy: { maxAttempts: 3 }, attempt: 2 }).retry).toBe(true)
    expect(next({ policy: { maxAttempts: 3 }, attempt: 3 })).toEqual({ retry: false, reason: 'attempts_used_up' })
    expect(next({ policy: { maxAttempts: 1 }, attempt: 1 })).toEqual({ retry: false, reason: 'attempts_used_up' })
  })

  test('a row whose policy was shortened while it waited ends', () => {
    expect(next({ policy: { maxAttempts: 3 }, attempt: 7 })).toEqual({ retry: false, reason: 'attempts_used_up' })
  })

  test.each(Object.entries(FAILURE_KINDS))('%s is retried as the table says', (kind, { retryable }) => {
    const result = next({ failure: { kind: kind as FailureKind } })
    expect(result.retry ? 'retried' : result.reason).toBe(retryable ? 'retried' : 'not_retryable')
  })

  test('a failure kind that a plugin made up is its error, and does not break the dispatcher', () => {
    for (const kind of ['made_up', 'constructor', '__proto__'] as never[])
      expect(next({ failure: { kind } }).retry).toBe(true)
    const policy = { overrides: { handler_error: false } } as const
    expect(next({ policy, failure: { kind: 'made_up' as never } }).retry).toBe(false)
  })
})

describe('overrides', () => {
  test('each kind of failure has the last word on being retried', () => {
    const policy = { overrides: { timeout: false, forbidden: { retryable: true } } } as const
    expect(next({ policy, failure: { kind: 'timeout' } })).toEqual({ retry: false, reason: 'not_retryable' })
    expect(next({ policy, failure: { kind: 'forbidden' } }).retry).toBe(true)
    expect(next({ policy, failure: { kind: 'crashed' } }).retry).toBe(true)
  })

  test('the schedule of one kind does not leak into another', () => {
    const policy = {
      baseDelayMs: 1000,
      jitter: 'none',
      overrides: { overloaded: { strategy: 'constant', baseDelayMs: 50 } },
    } as const
    expect(delay({ policy, attempt: 3, failure: { kind: 'overloaded' } })).toBe(50)
    expect(delay({ policy, attempt: 3, failure: { kind: 'timeout' } })).toBe(4000)
  })

  test('an override changes the number of attempts for its kind only', () => {
    const policy = { maxAttempts: 5, overrides: { not_found: { maxAttempts: 2 } } }
    expect(next({ policy, attempt: 2, failure: { kind: 'not_found' } })).toEqual({
      retry: false,
      reason: 'attempts_used_up',
    })
    expect(next({ policy, attempt: 2, failure: { kind: 'timeout' } }).retry).toBe(true)
  })
})

describe('Retry-After', () => {
  const policy = { baseDelayMs: 1000, maxDelayMs: 60_000, jitter: 'none' } as const
  test.each([
    ['longer than the policy: it is waited for', 5000, 5000],
    ['shorter than the policy: the policy is not undercut', 10, 1000],
    ['zero', 0, 1000],
    ['a fraction of a ms: never early', 5000.2, 5001],
    ['beyond the cap: one answer cannot park a row for a year', 1e12, 60_000],
    ['infinite', Number.POSITIVE_INFINITY, 60_000],
  ])('%s', (_, retryAfterMs, expected) => {
    expect(next({ policy, failure: { kind: 'unavailable', retryAfterMs } })).toEqual({ retry: true, delayMs: expected })
  })

  test.each([Number.NaN, -1, '5' as never])('%s is ignored with a warning and makes no NaN', (retryAfterMs) => {
    const result = next({ policy, failure: { kind: 'unavailable', retryAfterMs } })
    expect(result).toEqual({ retry: true, delayMs: 1000, warning: expect.stringContaining('retryAfterMs') as string })
  })

  test('it does not make a failure retryable', () => {
    expect(next({ policy, failure: { kind: 'forbidden', retryAfterMs: 5 } }).retry).toBe(false)
  })
})

describe('custom strategies', () => {
  const policy = { strategy: 'custom', name: 'tides', maxDelayMs: 50_000 } as const

  test('what it returns is the delay, to the ms and within the cap', () => {
    expect(delay({ policy, strategies: { tides: () => 1234.4 } })).toBe(1234)
    expect(delay({ policy, strategies: { tides: () => 0 } })).toBe(0)
    expect(delay({ policy, strategies: { tides: () => 1e300 } })).toBe(50_000)
  })

  test('it is told the attempt, the failure and its own schedule, and draws from the given random', () => {
    const tides = vi.fn<CustomStrategies[string]>(({ random }) => random() * 100)
    const overriding = { overrides: { timeout: { ...policy, baseDelayMs: 7 } } } as const
    expect(delay({ policy: overriding, attempt: 3, failure: { kind: 'timeout' }, strategies: { tides } })).toBe(50)
    expect(tides.mock.lastCall?.[0]).toMatchObject({
      attempt: 3,
      failure: { kind: 'timeout' },
      policy: { baseDelayMs: 7 },
    })
  })

  test('jitter that the policy asks for is not dropped', () => {
    expect(delay({ policy: { ...policy, jitter: 'full' }, strategies: { tides: () => 1000 } })).toBe(500)
  })

  test.each<[string, CustomStrategies]>([
    ['is not registered', {}],
    ['is registered under the name of an inherited member', Object.create({ tides: () => 1 }) as CustomStrategies],
    [
      'throws',
      {
        tides: () => {
          throw new Error('low water')
        },
      },
    ],
    [
      'throws undefined',
      {
        tides: () => {
          throw undefined
        },
      },
    ],
    [
      'throws what cannot be shown',
      {
        tides: () => {
          throw Object.create(null)
        },
      },
    ],
    ['returns NaN', { tides: () => Number.NaN }],
    ['returns Infinity', { tides: () => Number.POSITIVE_INFINITY }],
    ['returns a negative number', { tides: () => -1 }],
    ['returns a string', { tides: () => '5' as never }],
    ['returns a promise', { tides: (async () => 5) as never }],
    ['returns nothing', { tides: () => undefined as never }],
  ])('one that %s does not stop the row: the default policy and a warning', (_, strategies) => {
    const result = next({ policy, attempt: 3, strategies })
    expect(result).toEqual({ retry: true, delayMs: 4000, warning: expect.stringContaining('"tides"') as string })
  })

  test('the default policy, where it steps in, keeps to the cap of this one', () => {
    expect(delay({ policy: { ...policy, maxDelayMs: 1500 }, attempt: 4 })).toBe(1500)
  })

  test('a strategy named like a member of every object is still only unknown', () => {
    const result = next({ policy: { strategy: 'custom', name: 'constructor' }, strategies: {} })
    expect(result).toMatchObject({ delayMs: 1000, warning: expect.stringContaining('constructor') as string })
  })
})
