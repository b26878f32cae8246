/**
 * Schedules looks at everything, which find what a lane's mark hides (`starts.ts`), for a two-hundredth of the time.
 */
import { performance } from '../time/clock.ts'

const SHARE = 0.005

export class WholeLooks {
  #nextAtMs = 0

  get isDue(): boolean {
    return performance.now() >= this.#nextAtMs
  }

  /** Measures a look at everything, and schedules the next one. */
  async during<T>(look: () => Promise<T>): Promise<T> {
    const startedAtMs = performance.now()
    const found = await look()
    const endedAtMs = performance.now()
    this.#nextAtMs = endedAtMs + (endedAtMs - startedAtMs) / SHARE
    return found
  }
}
