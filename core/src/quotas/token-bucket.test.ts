import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TokenBucket } from './token-bucket.ts'

test('as many at once as a second allows, then by the clock', () => {
  const bucket = new TokenBucket(2, 0)
  expect([bucket.take(1, 0), bucket.take(1, 0), bucket.take(1, 0)]).toEqual([true, true, false])
  expect([bucket.take(1, 499), bucket.take(1, 500), bucket.take(1, 501)]).toEqual([false, true, false])
})

test('a rate below one a second lets one through at first', () => {
  const bucket = new TokenBucket(0.1, 0)
  expect([bucket.take(1, 0), bucket.take(1, 9_000), bucket.take(1, 10_001)]).toEqual([true, false, true])
})

test('a rate of 0 lets nothing through', () => {
  expect(new TokenBucket(0, 0).take(1, 1e9)).toBe(false)
})

test('more than fits in goes once the bucket is full, and is owed', () => {
  const bucket = new TokenBucket(10, 0)
  expect([bucket.take(30, 0), bucket.take(1, 1_999), bucket.take(1, 2_101)]).toEqual([true, false, true])
})

test('in no time span is there more than the rate, a bucket full and one call', () => {
  const calls = fc.array(fc.tuple(fc.nat({ max: 50 }), fc.nat({ max: 400 })), { minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), calls, (rate, made) => {
      const bucket = new TokenBucket(rate, 0)
      let now = 0
      let taken = 0
      let largest = 0
      for (const [count, later] of made) {
        now += later
        if (!bucket.take(count, now)) continue
        taken += count
        largest = Math.max(largest, count)
      }
      expect(taken).toBeLessThanOrEqual(rate + (rate * now) / 1_000 + largest + 1e-6)
    }),
  )
})
