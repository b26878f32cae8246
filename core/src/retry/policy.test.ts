import { describe, expect, test } from 'vitest'
import { OutbusError } from '../errors.ts'
import { DEFAULT_RETRY_POLICY, MAX_DELAY_MS, parseRetryPolicy, retryPolicySchema } from './policy.ts'

function refusal(input: unknown): OutbusError {
  try {
    parseRetryPolicy(input)
  } catch (error) {
    expect(error).toBeInstanceOf(OutbusError)
    return error as OutbusError
  }
  throw new Error(`accepted ${JSON.stringify(input)}`)
}

describe('defaults', () => {
  test('a trigger that says nothing of retries gets the documented default', () => {
    expect(parseRetryPolicy({})).toEqual({
      strategy: 'exponential',
      maxAttempts: 5,
      baseDelayMs: 1000,
      maxDelayMs: 3_600_000,
      jitter: 0.2,
      maxDoublings: 30,
      overrides: {},
    })
    expect(parseRetryPolicy({})).toEqual(DEFAULT_RETRY_POLICY)
  })

  test('a custom strategy is not jittered on top of its own drawing unless asked for', () => {
    expect(parseRetryPolicy({ strategy: 'custom', name: 'tides' }).jitter).toBe('none')
    expect(parseRetryPolicy({ strategy: 'custom', name: 'tides', jitter: 'full' }).jitter).toBe('full')
  })

  test('a key that is there with undefined in it does not wipe out its default', () => {
    expect(parseRetryPolicy({ maxAttempts: undefined, overrides: { timeout: { baseDelayMs: undefined } } })).toEqual(
      DEFAULT_RETRY_POLICY,
    )
  })

  test('two triggers do not share one overrides object', () => {
    expect(parseRetryPolicy({}).overrides).not.toBe(parseRetryPolicy({}).overrides)
  })

  test('false for a kind of failure means not retryable', () => {
    expect(parseRetryPolicy({ overrides: { timeout: false } }).overrides).toEqual({ timeout: { retryable: false } })
  })

  test('an override keeps only what it overrides, so the rest follows the policy', () => {
    const { overrides } = parseRetryPolicy({ overrides: { overloaded: { strategy: 'constant', baseDelayMs: 50 } } })
    expect(overrides).toEqual({ overloaded: { strategy: 'constant', baseDelayMs: 50 } })
  })
})

describe('bad input', () => {
  const AT_LEAST_ONE = { limit: 1 }
  test.each<[unknown, string, { limit?: number }?]>([
    [{ maxAttempts: 0 }, 'maxAttempts', AT_LEAST_ONE],
    [{ maxAttempts: -1 }, 'maxAttempts', AT_LEAST_ONE],
    [{ maxAttempts: 1.5 }, 'maxAttempts'],
    [{ maxAttempts: 10_001 }, 'maxAttempts', { limit: 10_000 }],
    [{ maxAttempts: 2 ** 31 }, 'maxAttempts', { limit: 10_000 }],
    [{ maxAttempts: '5' }, 'maxAttempts'],
    [{ baseDelayMs: -1 }, 'baseDelayMs', { limit: 0 }],
    [{ baseDelayMs: Number.NaN }, 'baseDelayMs'],
    [{ baseDelayMs: Number.POSITIVE_INFINITY }, 'baseDelayMs'],
    [{ baseDelayMs: '1s' }, 'baseDelayMs'],
    [{ baseDelayMs: MAX_DELAY_MS + 1 }, 'baseDelayMs', { limit: MAX_DELAY_MS }],
    [{ maxDelayMs: -1 }, 'maxDelayMs', { limit: 0 }],
    [{ maxDelayMs: Number.NaN }, 'maxDelayMs'],
    [{ maxDelayMs: '1h' }, 'maxDelayMs'],
    [{ baseDelayMs: 1000, maxDelayMs: 999 }, 'maxDelayMs', { limit: 1000 }],
    [{ baseDelayMs: 1000, maxDelayMs: 999, jitter: 1 }, 'maxDelayMs', { limit: 1000 }],
    [{ baseDelayMs: 1000, maxDelayMs: 499, jitter: 'equal' }, 'maxDelayMs', { limit: 500 }],
    [{ baseDelayMs: 7_200_000 }, 'maxDelayMs', { limit: 7_200_000 }],
    [{ jitter: -0.1 }, 'jitter'],
    [{ jitter: 1.1 }, 'jitter'],
    [{ jitter: Number.NaN }, 'jitter'],
    [{ jitter: 'fulll' }, 'jitter'],
    [{ strategy: 'fibonacci' }, 'strategy'],
    [{ strategy: 'custom' }, 'name'],
    [{ strategy: 'custom', name: '' }, 'name'],
    [{ name: 'tides' }, 'name'],
    [{ strategy: 'linear', maxDoublings: 3 }, 'maxDoublings'],
    [{ maxDoublings: -1 }, 'maxDoublings', { limit: 0 }],
    [{ maxDoublings: 1024 }, 'maxDoublings', { limit: 1023 }],
    [{ overrides: { timeout: true } }, 'overrides.timeout'],
    [{ overrides: { timeout: { maxAttempts: 0 } } }, 'overrides.timeout.maxAttempts', AT_LEAST_ONE],
    [{ overrides: { timeout: { baseDelayMs: 7_200_000 } } }, 'overrides.timeout.maxDelayMs', { limit: 7_200_000 }],
    [{ overrides: { timeout: { strategy: 'custom' } } }, 'overrides.timeout.name'],
    [{ overrides: { timeout: { strategy: 'constant', maxDoublings: 2 } } }, 'overrides.timeout.maxDoublings'],
    [{ overrides: { forbidden: { maxAttempts: 9 } } }, 'overrides.forbidden.retryable'],
    [{ overrides: { timeout: { retryable: false, maxAttempts: 9 } } }, 'overrides.timeout.retryable'],
    ['exponential', ''],
    [null, ''],
    [[], ''],
  ])('%j is not let in: retry.invalid at "%s"', (input, path, { limit } = {}) => {
    const error = refusal(input)
    expect(error.code).toBe('retry.invalid')
    expect(error.path ?? '').toBe(path)
    if (limit !== undefined) expect(error.limit).toBe(limit)
  })

  test('the refused value is shown', () => {
    expect(refusal({ maxAttempts: 1.5 }).received).toBe('1.5')
    expect(refusal({ baseDelayMs: 1000, maxDelayMs: 999 }).received).toBe('999')
  })

  test.each([
    [{ maxAttemps: 3 }, 'maxAttempts'],
    [{ overrides: { timeout: { maxAttemps: 3 } } }, 'maxAttempts'],
    [{ overrides: { time_out: false } }, 'timeout'],
  ])('an unknown key is not ignored: %j is asked whether it means %s', (input, nearest) => {
    const error = refusal(input)
    expect(error.code).toBe('retry.invalid')
    expect(error.hint).toMatch(new RegExp(`did you mean .*${nearest}`, 'i'))
  })

  test('overrides do not nest', () => {
    expect(refusal({ overrides: { timeout: { overrides: {} } } }).path).toBe('overrides.timeout.overrides')
  })

  test('the path is that of the whole the policy is part of', () => {
    expect(() => parseRetryPolicy({ maxAttempts: 0 }, { path: 'retry' })).toThrow(
      expect.objectContaining({ path: 'retry.maxAttempts' }),
    )
  })

  test('the schema alone takes and refuses the same as the parser', () => {
    const input = { overrides: { timeout: false } }
    expect(retryPolicySchema.parse(input)).toEqual(parseRetryPolicy(input))
    expect(retryPolicySchema.safeParse({ overrides: { timeout: { maxAttemps: 3 } } }).success).toBe(false)
  })

  test('the jitter message says what would be right', () => {
    expect(refusal({ jitter: 'fulll' }).message).toMatch(/fraction from 0 to 1.*full.*equal.*none/)
  })
})
