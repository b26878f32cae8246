/** After the microtasks that are due, and before anything else: who has just been answered has asked again by then. */
import { nextTick, queueMicrotask } from '../clock.ts'

export function endOfTick(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(() => nextTick(resolve)))
}
