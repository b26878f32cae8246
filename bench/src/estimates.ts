/** Ratios of two rows of results, from the slices that they measured side by side. */
import type { Estimate, Pair } from './intervals.ts'
import { estimateMedian, estimateQuantileRatio, estimateRatio } from './intervals.ts'
import type { ResultRow, SliceRow } from './results.ts'

/** How own stands to other. Rows without slices, of older results, have the ratio of their medians and no interval. */
export function ratioOf(own: ResultRow, other: ResultRow): Estimate {
  const plain: Estimate = { value: own.median / other.median, interval: undefined, lives: 0, slices: 0 }
  const pairs = pairUp(own.slices ?? [], other.slices ?? [])
  if (pairs.length === 0) return plain
  if (own.quantile !== undefined && own.quantile === other.quantile)
    return estimateQuantileRatio(pairs as Pair<readonly number[]>[], own.quantile)
  return typeof pairs[0]?.own === 'number' && typeof pairs[0].other === 'number'
    ? estimateRatio(pairs as Pair<number>[])
    : plain
}

/** The figure itself: for aims that are held against nothing. */
export function estimateOf({ median, slices = [] }: ResultRow): Estimate {
  const values = slices.flatMap(([life, , value]) => (typeof value === 'number' ? [{ life, value }] : []))
  return values.length === 0 ? { value: median, interval: undefined, lives: 0, slices: 0 } : estimateMedian(values)
}

/** Slices of the same life and place are neighbours; where a slice gave several values, the first goes with the first. */
function pairUp(own: readonly SliceRow[], other: readonly SliceRow[]): Pair<number | readonly number[]>[] {
  const keyed = (slices: readonly SliceRow[]) => Map.groupBy(slices, ([life, slice]) => `${life} ${slice}`)
  const others = keyed(other)
  return [...keyed(own)].flatMap(([key, mine]) => {
    const theirs = others.get(key) ?? []
    return mine
      .slice(0, theirs.length)
      .map(([life, , value], i) => ({ life, own: value, other: (theirs[i] as SliceRow)[2] }))
  })
}
