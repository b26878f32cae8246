/**
 * Resolves after the microtasks that are due, and before anything else: a caller that was just answered has asked again
 * by then.
 */
import { nextTick, queueMicrotask, setImmediate } from './clock.ts'

export function endOfTick(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(() => nextTick(resolve)))
}

/** Resolves after pending input, output and timers, so that a loop answered from memory blocks nobody. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
