/**
 * How much is tested for one event. Patterns and events are anybody's, and the tests of one event do not yield: what is tested of each
 * value, or looked at for it, is a step, and an event that takes too many is refused.
 */
import { OutbusError } from '../errors.ts'

/** One event may cost this over all triggers of its app that it is tested for. These are some 30 ms. */
const MAX_STEPS_AN_EVENT = 1_000_000

let left = Number.POSITIVE_INFINITY
let limit = left

/**
 * Throws `pattern.too_complex` where there are no steps left. For what matches one event: also a source's `matches`, where what it costs
 * is what the filter has, times what the event has. A step is some 30 ns. Outside of an emit there are any number.
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

/** Runs what matches one event, within its steps; within those of whoever called for the same event, where somebody did. */
export function withinSteps<T>(match: () => T, most = MAX_STEPS_AN_EVENT): T {
  if (left !== Number.POSITIVE_INFINITY) return match()
  left = limit = most
  try {
    return match()
  } finally {
    left = Number.POSITIVE_INFINITY
  }
}

/** Tells tests how many steps it takes. */
export function stepsOf(match: () => unknown): number {
  const most = Number.MAX_SAFE_INTEGER
  let taken = 0
  withinSteps(() => {
    match()
    taken = most - left
  }, most)
  return taken
}
