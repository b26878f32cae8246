/** How much of what nobody waits for a listener takes: a bucket of bytes that fills up within a minute. */
import { clock } from '@outbus/core/plugin'

const MINUTE_MS = 60_000
/** A row, its reply and their indexes are not free, however little a request says. */
const LEAST_BYTES = 1_024

export class AsyncBudget {
  readonly #bytesPerMinute: number
  #left: number
  #at = clock.performance.now()

  constructor(bytesPerMinute: number) {
    this.#bytesPerMinute = bytesPerMinute
    this.#left = bytesPerMinute
  }

  /** Undefined where there was room, and it is taken. Else in how many ms there is some again. */
  take(bytes: number): number | undefined {
    const now = clock.performance.now()
    const filled = ((now - this.#at) / MINUTE_MS) * this.#bytesPerMinute
    this.#left = Math.min(this.#bytesPerMinute, this.#left + filled)
    this.#at = now
    if (this.#left <= 0) return ((1 - this.#left) / this.#bytesPerMinute) * MINUTE_MS
    // One that is larger than what is left makes the next one wait for longer.
    this.#left -= Math.max(LEAST_BYTES, bytes)
    return undefined
  }
}
