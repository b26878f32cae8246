/** How long stopping may take. A later, shorter time replaces an earlier one. */
import { clearTimeout, performance, setTimeout } from './clock.ts'

export class Grace {
  readonly #over = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #ended = false
  #endsAt = Number.POSITIVE_INFINITY

  constructor(ms: number) {
    this.shortenTo(ms)
  }

  /** Aborts when the time is up. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  /** Counts from now. A longer time than what is left changes nothing. */
  shortenTo(ms: number): void {
    const endsAt = performance.now() + ms
    if (endsAt >= this.#endsAt) return
    this.#endsAt = endsAt
    clearTimeout(this.#timer)
    if (ms <= 0) this.#over.abort()
    else this.#timer = setTimeout(() => this.#over.abort(), ms)
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Everything has stopped. */
  end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
  }
}
