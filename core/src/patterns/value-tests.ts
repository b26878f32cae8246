/** Tests a value against many operators of one kind by a lookup. Pure. */
import type { JsonPrimitive } from '../contract/json.ts'

export type ValueTest = (value: JsonPrimitive) => boolean

export interface Interval {
  readonly from: number
  readonly to: number
  readonly withFrom: boolean
  readonly withTo: boolean
}

/** From this many alternatives on, a lookup costs less than trying each. */
const MANY = 4

export function oneOfAffixes(texts: readonly string[], side: 'prefix' | 'suffix'): ValueTest {
  const lengths = [...new Set(texts.map(({ length }) => length))].toSorted((a, b) => a - b)
  const known = new Set(texts)
  const part = (value: string, length: number) =>
    side === 'prefix' ? value.slice(0, length) : value.slice(value.length - length)
  return (value) => {
    if (typeof value !== 'string') return false
    for (const length of lengths) {
      if (length > value.length) return false
      if (known.has(part(value, length))) return true
    }
    return false
  }
}

export function oneOfFolded(texts: readonly string[]): ValueTest {
  const known = new Set(texts.map(folded))
  return (value) => typeof value === 'string' && known.has(folded(value))
}

/** Merges ranges that overlap, and bisects. */
export function oneOfIntervals(intervals: readonly Interval[]): ValueTest {
  const merged: Interval[] = []
  for (const one of intervals.toSorted((a, b) => a.from - b.from || Number(b.withFrom) - Number(a.withFrom))) {
    const last = merged.at(-1)
    if (last !== undefined && touches(last, one)) merged[merged.length - 1] = joined(last, one)
    else merged.push(one)
  }
  return (value) => {
    if (typeof value !== 'number') return false
    let low = 0
    let high = merged.length
    // Finds the last one that begins at the value or before.
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((merged[middle] as Interval).from <= value) low = middle + 1
      else high = middle
    }
    return isWithin(merged[low - 1], value) || isWithin(merged[low - 2], value)
  }
}

export function isMany(count: number): boolean {
  return count >= MANY
}

function isWithin(interval: Interval | undefined, value: number): boolean {
  if (interval === undefined) return false
  const { from, to, withFrom, withTo } = interval
  return (value > from || (withFrom && value === from)) && (value < to || (withTo && value === to))
}

function touches(a: Interval, b: Interval): boolean {
  return b.from < a.to || (b.from === a.to && (a.withTo || b.withFrom))
}

function joined(a: Interval, b: Interval): Interval {
  const withTo = a.to === b.to ? a.withTo || b.withTo : a.to > b.to ? a.withTo : b.withTo
  return { from: a.from, withFrom: a.withFrom, to: Math.max(a.to, b.to), withTo }
}

/** Folds letter by letter. A letter without a single counterpart equals only itself. */
export function folded(text: string): string {
  let result = ''
  for (const letter of text) {
    const lower = letter.toLowerCase()
    result += lower.length === letter.length && lower.toUpperCase() === letter.toUpperCase() ? lower : letter
  }
  return result
}
