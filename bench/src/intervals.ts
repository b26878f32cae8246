/**
 * Confidence intervals of the benchmark, computed from slices that were measured side by side. All of it is pure.
 *
 * A *pair* holds what two systems did in neighbouring slices. A *life* is one process with one database on each side. The
 * slices of one life share its memory layout, its compiled code and its plans: a process may be lucky for as long as it
 * lives, and its slices then agree with each other alone. So lives are what is independent here, not slices. Two intervals
 * guard against two errors, and the wider bounds of both are reported:
 *
 * - The sign test's interval consists of two order statistics of the lives' own values. It assumes no distribution.
 * - The bootstrap draws lives first and slices second, as Kalibera and Jones advise in "Rigorous benchmarking in reasonable
 *   time" (2013), so that slices that scatter within their lives widen it too.
 */
import { seededRandom } from './random.ts'
import { median, quantile } from './statistics.ts'

const CONFIDENCE = 0.95
const RESAMPLES = 2_000
const SEED = 17

export interface Interval {
  readonly low: number
  readonly high: number
}

/** A ratio or a figure, with its 95 % interval; without one below six lives. */
export interface Estimate {
  readonly value: number
  readonly interval: Interval | undefined
  readonly lives: number
  /** How many there were in all lives together. */
  readonly slices: number
}

export interface Pair<T> {
  readonly life: number
  readonly own: T
  readonly other: T
}

/** The median of the pairwise ratios own / other. */
export function estimateRatio(pairs: readonly Pair<number>[]): Estimate {
  return estimate(pairs, (some) => median(some.map(({ own, other }) => own / other)))
}

/** The median of values that slices have measured. */
export function estimateMedian(values: readonly { readonly life: number; readonly value: number }[]): Estimate {
  return estimate(values, (some) => median(some.map(({ value }) => value)))
}

/**
 * The ratio of two quantiles, each of all samples of its side. The quantile of one slice's twenty samples says nothing, so
 * samples are pooled.
 */
export function estimateQuantileRatio(pairs: readonly Pair<readonly number[]>[], share: number): Estimate {
  return estimate(pairs, (some) => quantile(pool(some, 'own'), share) / quantile(pool(some, 'other'), share))
}

function pool(pairs: readonly Pair<readonly number[]>[], side: 'own' | 'other'): Float64Array {
  let length = 0
  for (const pair of pairs) length += pair[side].length
  const pooled = new Float64Array(length)
  let at = 0
  for (const pair of pairs) {
    pooled.set(pair[side], at)
    at += pair[side].length
  }
  return pooled
}

function estimate<T extends { readonly life: number }>(
  items: readonly T[],
  statistic: (items: readonly T[]) => number,
): Estimate {
  const lives = [...Map.groupBy(items, ({ life }) => life).values()]
  return {
    value: statistic(items),
    interval: intervalOf(lives, statistic),
    lives: lives.length,
    slices: items.length,
  }
}

function intervalOf<T>(
  lives: readonly (readonly T[])[],
  statistic: (items: readonly T[]) => number,
): Interval | undefined {
  const signTest = signTestInterval(lives.map(statistic))
  if (signTest === undefined) return undefined
  const bootstrap = bootstrapInterval(lives, statistic, seededRandom(SEED))
  return { low: Math.min(signTest.low, bootstrap.low), high: Math.max(signTest.high, bootstrap.high) }
}

/**
 * The narrowest pair of order statistics, equally deep from both ends, that holds the true median with at least this
 * confidence. Source: W. J. Conover, Practical Nonparametric Statistics, "confidence interval for a quantile".
 * Undefined where even the least and the greatest value do not reach it: 95 % takes six values, since of five even equal
 * signs come by chance once in sixteen times.
 */
export function signTestInterval(values: readonly number[], confidence = CONFIDENCE): Interval | undefined {
  const ascending = values.toSorted((a, b) => a - b)
  const depth = signTestDepth(ascending.length, confidence)
  if (depth === 0) return undefined
  return { low: ascending[depth - 1] as number, high: ascending[ascending.length - depth] as number }
}

/** How many values may be left out at each end, plus one; 0 where none reach the confidence. */
function signTestDepth(count: number, confidence: number): number {
  // The chance of exactly so many heads in so many throws, and of at most so many, both tails together.
  let chance = 0.5 ** count
  let tails = 2 * chance
  let depth = 0
  while (tails <= 1 - confidence) {
    depth++
    chance *= (count - depth + 1) / depth
    tails += 2 * chance
  }
  return depth
}

/** The percentile interval of a statistic: draws as many lives as there are, and from each as many items as it has. */
export function bootstrapInterval<T>(
  lives: readonly (readonly T[])[],
  statistic: (items: readonly T[]) => number,
  random: () => number,
  confidence = CONFIDENCE,
): Interval {
  const draw = <U>(items: readonly U[]) => items[Math.floor(random() * items.length)] as U
  const drawn = Array.from({ length: RESAMPLES }, () => {
    const items: T[] = []
    for (let i = 0; i < lives.length; i++) {
      const life = draw(lives)
      for (let j = 0; j < life.length; j++) items.push(draw(life))
    }
    return statistic(items)
  })
  const tail = (1 - confidence) / 2
  return { low: quantile(drawn, tail), high: quantile(drawn, 1 - tail) }
}
