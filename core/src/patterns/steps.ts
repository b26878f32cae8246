/**
 * Bounds how much is tested for one event. Anybody may write patterns and events, and the tests of an event do not
 * yield. A step is one test of a value, or one look for it; an event that takes too many is refused.
 */
import { OutbusError } from '../errors.ts'

/** The most steps that an event may cost over all triggers that it is tested for: some 30 ms. */
const MAX_STEPS_AN_EVENT = 1_000_000

let left = Number.POSITIVE_INFINITY
let limit = left

/**
 * Throws `pattern.too_complex` if no steps are left. For whatever matches one event, also a source's `matches` if it
 * costs filter times event. A step is some 30 ns. Outside of an emit there is no limit.
 */
export function takeSteps(count: number): void {
  if ((left -= count) >= 0) return
  throw new OutbusError(
    'pattern.too_complex',
    `to match the event with the filters of its triggers takes more than ${limit} steps`,
    {
      path: 'pattern',
      limit,
      hint: 'emit events with shorter lists, or give filters fewer operators and paths for them',
    },
  )
}

/** Runs what matches one event within its steps, or within those of an outer call for the same event. */
export function withinSteps<T>(match: () => T, most = MAX_STEPS_AN_EVENT): T {
  if (left !== Number.POSITIVE_INFINITY) return match()
  left = limit = most
  try {
    return match()
  } finally {
    left = Number.POSITIVE_INFINITY
  }
}

/** Counts steps, for tests. */
export function stepsOf(match: () => unknown): number {
  const most = Number.MAX_SAFE_INTEGER
  let taken = 0
  withinSteps(() => {
    match()
    taken = most - left
  }, most)
  return taken
}
