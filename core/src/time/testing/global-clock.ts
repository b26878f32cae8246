/**
 * Replaces `clock.ts` in unit tests with `vi.useFakeTimers`: `vi.mock('../clock.ts', () =>
 * import('./global-clock.ts'))`. Looks each timer up when it is called.
 */
import * as clock from '../clock.ts'

export const { setInterval, clearInterval, setImmediate, performance, wallClock, nextTick, queueMicrotask } = clock

export const setTimeout = ((work: () => void, ms?: number) =>
  globalThis.setTimeout(work, ms)) as typeof clock.setTimeout
export const clearTimeout: typeof clock.clearTimeout = (timer) => globalThis.clearTimeout(timer)
