/** How often a lane that looks from a mark on looks at everything: for what a mark hides (`starts.ts`), for a two-hundredth of the time. */
import { performance } from '../time/clock.ts'

const SHARE = 0.005

export class WholeLooks {
  #nextAtMs = 0

  get isDue(): boolean {
    return performance.now() >= this.#nextAtMs
  }

  /** Counts such a look, and how long it took. */
  async during<T>(look: () => Promise<T>): Promise<T> {
    const startedAtMs = performance.now()
    const found = await look()
    const endedAtMs = performance.now()
    this.#nextAtMs = endedAtMs + (endedAtMs - startedAtMs) / SHARE
    return found
  }
}
