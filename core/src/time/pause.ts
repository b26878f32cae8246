/** Waiting that ends early. */
import { clearTimeout, setTimeout } from './clock.ts'

/** Resolves after `ms` or as soon as the signal aborts; never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal?.addEventListener('abort', end, { once: true })
  })
}

/**
 * The pause between tries to reach Postgres: 50 ms doubling to 2 s, each ±50 %, so that a fleet does not come back in
 * step.
 */
export function backoffMs(failures: number): number {
  return Math.min(2_000, 50 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random())
}

/** Resolves when the signal aborts; never, if it does not. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** Waits for `work`, but no longer than `ms`. Rejects if `work` rejects by then. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController()
  try {
    await Promise.race([work, sleep(ms, over.signal)])
  } finally {
    over.abort()
  }
}
