import { expect, test } from 'vitest'
import { parseRetryPolicy } from './policy.ts'
import { previewRetry } from './preview.ts'

test('the schedule is shown as it would run, with its exact bounds', () => {
  const policy = parseRetryPolicy({ baseDelayMs: 500, maxDelayMs: 1500, maxAttempts: 5, jitter: 'none' })
  expect(previewRetry(policy, { seed: 1 })).toEqual([
    { retry: 1, afterMs: 500, atMs: 500, minMs: 500, maxMs: 500 },
    { retry: 2, afterMs: 1000, atMs: 1500, minMs: 1000, maxMs: 1000 },
    { retry: 3, afterMs: 1500, atMs: 3000, minMs: 1500, maxMs: 1500 },
    { retry: 4, afterMs: 1500, atMs: 4500, minMs: 1500, maxMs: 1500 },
  ])
})

test('the bounds are those of the jitter, cut at the cap', () => {
  const policy = parseRetryPolicy({ baseDelayMs: 1000, maxDelayMs: 2100, maxAttempts: 4, jitter: 0.2 })
  expect(previewRetry(policy, { seed: 1 }).map(({ minMs, maxMs }) => [minMs, maxMs])).toEqual([
    [800, 1200],
    [1600, 2100],
    [2100, 2100],
  ])
})

test('the same seed repeats, another seed does not', () => {
  const policy = parseRetryPolicy({ maxAttempts: 10 })
  expect(previewRetry(policy, { seed: 7 })).toEqual(previewRetry(policy, { seed: 7 }))
  expect(previewRetry(policy, { seed: 7 })).not.toEqual(previewRetry(policy, { seed: 8 }))
})

test('the draws of a seed stay what they are, so that a printed schedule can be had again', () => {
  const policy = parseRetryPolicy({
    strategy: 'constant',
    baseDelayMs: 1_000_000_000,
    maxDelayMs: null,
    jitter: 'full',
    maxAttempts: 4,
  })
  expect(previewRetry(policy, { seed: 42 }).map(({ afterMs }) => afterMs)).toMatchInlineSnapshot(`
    [
      601103751,
      448290558,
      852465793,
    ]
  `)
})

test('a preview is of one kind of failure, with its override and its Retry-After', () => {
  const policy = parseRetryPolicy({
    jitter: 'none',
    overrides: { overloaded: { strategy: 'constant', baseDelayMs: 50, maxAttempts: 3 } },
  })
  expect(previewRetry(policy, { seed: 1, failure: { kind: 'overloaded' } }).map(({ afterMs }) => afterMs)).toEqual([
    50, 50,
  ])
  expect(previewRetry(policy, { seed: 1, failure: { kind: 'forbidden' } })).toEqual([])
  expect(previewRetry(policy, { seed: 1, failure: { kind: 'unavailable', retryAfterMs: 3000 } })[0]).toEqual({
    retry: 1,
    afterMs: 3000,
    atMs: 3000,
    minMs: 3000,
    maxMs: 3000,
  })
})

test('a policy without retries has an empty schedule', () => {
  expect(previewRetry(parseRetryPolicy({ maxAttempts: 1 }), { seed: 1 })).toEqual([])
})

test('a custom policy is previewed by its strategy, and says so where that is missing', () => {
  const policy = parseRetryPolicy({ strategy: 'custom', name: 'tides', maxAttempts: 2 })
  expect(previewRetry(policy, { seed: 1, strategies: { tides: () => 77 } })).toEqual([
    { retry: 1, afterMs: 77, atMs: 77, minMs: 0, maxMs: 3_600_000 },
  ])
  expect(previewRetry(policy, { seed: 1 })[0]?.warning).toContain('"tides"')
})

test('10,000 attempts are shown in full', () => {
  expect(previewRetry(parseRetryPolicy({ maxAttempts: 10_000, maxDelayMs: null }), { seed: 1 })).toHaveLength(9999)
})
