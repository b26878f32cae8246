/** Long work in the one thread of the process, some at a time, so that everybody else has a turn in between (G19). */
import { performance, setImmediate } from './clock.ts'

/** How long one bite takes. */
const TURN_MS = 10

export class Turns {
  #endsAt = performance.now() + TURN_MS

  /** Asked after each piece of the work: whether the others are waiting long enough. */
  get isOver(): boolean {
    return performance.now() > this.#endsAt
  }

  /** Resolves when they have had their turn. */
  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#endsAt = performance.now() + TURN_MS
  }
}
