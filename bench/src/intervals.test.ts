import { describe, expect, test } from 'vitest'
import {
  bootstrapInterval,
  estimateMedian,
  estimateQuantileRatio,
  estimateRatio,
  signTestInterval,
} from './intervals.ts'
import { seededRandom } from './random.ts'
import { median } from './statistics.ts'

const random = seededRandom(1)
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/** So many slices in each life; each life has its own luck, and each slice its own noise. */
function pairsOf(
  lives: number,
  slices: number,
  { ratio = 1, luck = 0, noise = 0 }: { ratio?: number; luck?: number; noise?: number } = {},
) {
  return Array.from({ length: lives }, (_, life) => {
    const lucky = ratio * Math.exp(luck * normal())
    return Array.from({ length: slices }, () => ({ life, own: 100 * lucky * Math.exp(noise * normal()), other: 100 }))
  }).flat()
}

function shareThatHolds(ratio: number, runs: number, make: () => ReturnType<typeof pairsOf>): number {
  let held = 0
  for (let run = 0; run < runs; run++) {
    const { interval } = estimateRatio(make())
    if (interval !== undefined && interval.low <= ratio && ratio <= interval.high) held++
  }
  return held / runs
}

describe('the sign test’s interval', () => {
  // From the table of the sign test: the rank from either end at which a two-sided 95 % interval begins.
  test.for([
    [6, 1],
    [8, 1],
    [9, 2],
    [12, 3],
    [20, 6],
    [30, 10],
    [100, 40],
  ] as const)('of %i values begins with the value of rank %i', ([count, rank]) => {
    const values = Array.from({ length: count }, (_, i) => i + 1)
    expect(signTestInterval(values)).toEqual({ low: rank, high: count + 1 - rank })
  })

  test('does not exist for five values, of which even equal signs happen by chance', () => {
    expect(signTestInterval([1, 2, 3, 4, 5])).toBeUndefined()
    expect(signTestInterval([])).toBeUndefined()
  })

  test('is the same in whatever order the lives came', () => {
    expect(signTestInterval([3, 1, 2, 6, 5, 4])).toEqual({ low: 1, high: 6 })
  })
})

describe('the bootstrap', () => {
  test('gives the same interval for the same slices, so that a report can be made again', () => {
    const lives = [
      [1, 2, 3],
      [2, 3, 4],
    ]
    const once = () => bootstrapInterval(lives, median, seededRandom(5))
    expect(once()).toEqual(once())
  })

  test('is wider where lives differ than where the same slices belong to one life', () => {
    const values = [1, 1.01, 1.02, 1.03, 1.04, 1.5, 1.51, 1.52, 1.53, 1.54]
    const mean = (numbers: readonly number[]) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length
    const width = (lives: readonly (readonly number[])[]) => {
      const { low, high } = bootstrapInterval(lives, mean, seededRandom(3))
      return high - low
    }
    expect(width([values.slice(0, 5), values.slice(5)])).toBeGreaterThan(1.3 * width([values]))
  })
})

describe('a ratio of neighbouring slices', () => {
  test('does not move when the machine slows both sides down for a part of the time', () => {
    const slowed = pairsOf(10, 5, { ratio: 1.1, noise: 0.02 }).map(({ life, own, other }, i) => {
      const speed = i < 25 ? 1 : 0.4
      return { life, own: own * speed, other: other * speed }
    })
    const { value, interval } = estimateRatio(slowed)
    expect(value).toBeCloseTo(1.1, 1)
    expect(interval?.low).toBeGreaterThan(1.07)
    expect(interval?.high).toBeLessThan(1.13)
  })

  test('has no interval from five lives, however many slices they have, and one from six', () => {
    expect(estimateRatio(pairsOf(5, 50))).toEqual({ value: 1, interval: undefined, lives: 5, slices: 250 })
    expect(estimateRatio(pairsOf(6, 1)).interval).toEqual({ low: 1, high: 1 })
  })

  test('holds the true ratio in 95 of 100 runs of noisy slices', () => {
    expect(shareThatHolds(1.2, 200, () => pairsOf(6, 5, { ratio: 1.2, noise: 0.1 }))).toBeGreaterThanOrEqual(0.95)
  })

  test('holds it as often where processes are lucky for as long as they live', () => {
    const lucky = () => pairsOf(8, 8, { luck: 0.1, noise: 0.02 })
    expect(shareThatHolds(1, 200, lucky)).toBeGreaterThanOrEqual(0.95)
  })
})

test('a median that is held against a number has the interval of its runs', () => {
  const values = [1, 2, 3, 4, 5, 6, 7].map((value) => ({ life: value, value }))
  const { value, interval } = estimateMedian(values)
  expect(value).toBe(4)
  expect(interval).toEqual({ low: 1, high: 7 })
})

describe('a ratio of quantiles', () => {
  const samples = (scale: number) => Array.from({ length: 20 }, () => scale * (1 + random()))
  test('is that of all samples together, where the p99 of one slice is but its greatest', () => {
    const some = Array.from({ length: 20 }, (_, i) => ({ life: i % 7, own: samples(2), other: samples(1) }))
    const { value, interval } = estimateQuantileRatio(some, 0.99)
    expect(value).toBeCloseTo(2, 1)
    expect(interval?.low).toBeLessThanOrEqual(value)
    expect(interval?.high).toBeGreaterThanOrEqual(value)
  })

  test('has no interval below six lives', () => {
    expect(estimateQuantileRatio([{ life: 1, own: [1], other: [2] }], 0.5)).toEqual({
      value: 0.5,
      interval: undefined,
      lives: 1,
      slices: 1,
    })
  })
})
