import { expect, test } from 'vitest'
import { LeaseClock } from './lease-clock.ts'

const HOUR_S = 3_600
/** `performance.now()` so many ms ago. */
const ago = (ms: number) => performance.now() - ms

test('it follows a clock that goes on as time does, and knows nothing before it was asked', () => {
  const clock = new LeaseClock(10_000)
  expect([clock.isKnown, clock.latestS]).toEqual([false, -Infinity])
  expect(clock.heard(1_000, ago(2_000))).toBe(false)
  expect(clock.latestS).toBeCloseTo(1_002, 1)
  expect(clock.heard(1_001.9, ago(0))).toBe(false)
  expect(clock.latestS).toBeCloseTo(1_001.9, 1)
})

test('a clock that jumps ahead is not followed until a lease’s time is over', () => {
  const clock = new LeaseClock(0)
  const doubting = new LeaseClock(60_000)
  for (const each of [clock, doubting]) {
    each.heard(1_000, ago(0))
    expect(each.heard(1_000 + HOUR_S, ago(0))).toBe(true)
    expect(each.heard(1_000 + HOUR_S, ago(0))).toBe(false)
  }
  expect(clock.latestS).toBeCloseTo(1_000 + HOUR_S, 0)
  expect(doubting.latestS).toBeCloseTo(1_000, 0)
})

test('an answer that took long is no jump', () => {
  const clock = new LeaseClock(60_000)
  clock.heard(1_000, ago(5_000))
  expect(clock.heard(1_004.9, ago(4_900))).toBe(false)
})

test('a clock that is set back is followed at once, so that it is noticed when it is put right', () => {
  const clock = new LeaseClock(60_000)
  clock.heard(5_000, ago(0))
  expect(clock.heard(1_400, ago(0))).toBe(false)
  expect(clock.latestS).toBeCloseTo(1_400, 0)
  expect(clock.heard(5_000, ago(0))).toBe(true)
  expect(clock.latestS).toBeCloseTo(1_400, 0)
})
