/**
 * Permits for running executions. A lane reserves before it claims, so that it claims no more than it can run;
 * a permit is held until its execution ends, spilled or not.
 */
export class ExecutionGate {
  readonly limit: number
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(limit: number) {
    this.limit = limit
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Waits for one free permit, then takes up to `wanted`. Rejects with the signal's reason when it aborts first. */
  async reserve(wanted: number, signal: AbortSignal): Promise<number> {
    while (this.#running >= this.limit) await this.#freed(signal)
    signal.throwIfAborted()
    const permits = Math.min(wanted, this.limit - this.#running)
    this.#running += permits
    return permits
  }

  release(permits: number): void {
    this.#running -= permits
    // All are woken: each checks again, and what one of them cannot use another may.
    for (const wake of this.#waiting.splice(0)) wake()
  }

  #freed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = () => {
        signal.removeEventListener('abort', abort)
        resolve()
      }
      const abort = () => {
        const at = this.#waiting.indexOf(wake)
        if (at >= 0) this.#waiting.splice(at, 1)
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', abort, { once: true })
      this.#waiting.push(wake)
    })
  }
}
