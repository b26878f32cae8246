/**
 * Timers and clock of the process as they were when Outbus was imported. An application, or its tests, may mock its timers and its
 * clock (sinon, Jest, vitest) while a bus runs: what the bus waits for then still comes, and a stop ends (G21). Everything
 * in core and in the plugins takes them from here; a lint rule asks for it.
 */
import { performance as realPerformance } from 'node:perf_hooks'
import * as timers from 'node:timers'

// Constants, not exports handed on: those of node:timers change where a mock replaces them in the module.
export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers

/** Measures durations. It never goes back. */
export const performance = { now: realPerformance.now.bind(realPerformance) }

const { now: dateNow } = Date
const { toISOString } = Date.prototype
// A mock that was there before Outbus was imported says what it is; the clock that nobody mocks knows the time as well.
const isMocked = 'isFake' in Date || 'clock' in Date

/** The time of day, in ms since 1970. For people, and for ids; what is due is the database's to say (G14). */
export function wallClock(): number {
  return isMocked ? Math.floor(realPerformance.timeOrigin + realPerformance.now()) : dateNow()
}

/** As `toISOString` was then: what Postgres is told, and what is stored. */
export function isoText(date: Date): string {
  return toISOString.call(date)
}

export const { queueMicrotask } = globalThis
export const nextTick = process.nextTick.bind(process)

/** Aborts after `ms`. The process does not wait for it. */
export function timeoutSignal(ms: number): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(new DOMException('The operation timed out', 'TimeoutError')), ms).unref()
  return controller.signal
}
