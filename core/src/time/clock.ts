/**
 * Timers and clock as they were when Outbus was imported. An application or its tests may mock both (sinon, Jest,
 * vitest), and the bus must still wake up and stop (G21). Core and the plugins use these, which a lint rule enforces.
 */
import { performance as realPerformance } from 'node:perf_hooks'
import * as timers from 'node:timers'

// Constants, not re-exports: a mock may replace the functions within node:timers.
export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers

/** Measures durations. This clock never goes back. */
export const performance = { now: realPerformance.now.bind(realPerformance) }

const { now: dateNow } = Date
const { toISOString } = Date.prototype
// A mock that was there before Outbus was imported can be recognised; the unmocked clock knows the time as well.
const isMocked = 'isFake' in Date || 'clock' in Date

/** The time of day, in ms since 1970, for people and ids. The database decides what is due (G14). */
export function wallClock(): number {
  return isMocked ? Math.floor(realPerformance.timeOrigin + realPerformance.now()) : dateNow()
}

/** As `toISOString` was at import, for what is sent to Postgres and stored. */
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
