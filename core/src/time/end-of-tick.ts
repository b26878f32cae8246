/** After the microtasks that are due, and before anything else: who has just been answered has asked again by then. */
import { nextTick, queueMicrotask, setImmediate } from './clock.ts'

export function endOfTick(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(() => nextTick(resolve)))
}

/** After what the process has to read, write and time by now: whoever asks on and on, and is answered from memory, blocks nobody. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
