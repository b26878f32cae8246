/** How many events a second. Pure: the clock is handed in. */
export class TokenBucket {
  /** Tokens a second, and as many fit in. */
  readonly rate: number
  #tokens: number
  #at: number

  /** Full. */
  constructor(rate: number, now: number) {
    this.rate = rate
    this.#tokens = Math.max(1, rate)
    this.#at = now
  }

  /**
   * Takes `count` tokens, if there are as many, or as fit in at all: then the bucket owes the rest, and nothing is taken until it
   * has it again. So a call with many events is let through at times, and the rate holds all the same.
   */
  take(count: number, now: number): boolean {
    if (this.rate === 0 || !this.#has(count, now)) return false
    this.#tokens -= count
    return true
  }

  #has(count: number, now: number): boolean {
    const fits = Math.max(1, this.rate)
    this.#tokens = Math.min(fits, this.#tokens + ((now - this.#at) / 1_000) * this.rate)
    this.#at = now
    return this.#tokens >= Math.min(count, fits)
  }
}
