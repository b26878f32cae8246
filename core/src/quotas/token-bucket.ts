/** Limits events a second. Pure: the clock is an argument. */
export class TokenBucket {
  /** Tokens a second, and as many as fit in. */
  readonly rate: number
  #tokens: number
  #at: number

  /** Starts full. */
  constructor(rate: number, now: number) {
    this.rate = rate
    this.#tokens = Math.max(1, rate)
    this.#at = now
  }

  /**
   * Takes `count` tokens, or answers false. More than fit in are taken from a full bucket, which then owes the rest. So
   * a call with many events passes at times, and the rate holds.
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
