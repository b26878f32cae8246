/**
 * Permits for running executions. A lane reserves permits before each claim, so that it claims no more than it can run.
 * A permit is held until its execution ends, spilled or not.
 *
 * Deliveries always leave some permits to requests; requests may use all.
 */
export interface Permits {
  readonly free: number
  /** Waits for one free permit, then takes up to `wanted`. Rejects with the signal's reason when it aborts first. */
  reserve(wanted: number, signal: AbortSignal): Promise<number>
  /** Takes up to `wanted` without waiting; 0 if none is free. */
  tryReserve(wanted: number): number
  release(permits: number): void
}

export class ExecutionGate {
  readonly limit: number
  readonly deliveries: Permits
  readonly requests: Permits
  readonly #forRequests: number
  readonly #running = { deliveries: 0, requests: 0 }
  readonly #waiting: (() => void)[] = []

  /** `forRequests`: permits that deliveries never take; less than `limit`. */
  constructor(limit: number, forRequests: number) {
    this.limit = limit
    this.#forRequests = forRequests
    this.deliveries = this.#permitsOf('deliveries', () =>
      Math.min(this.limit - this.running, this.limit - this.#forRequests - this.#running.deliveries),
    )
    this.requests = this.#permitsOf('requests', () => this.limit - this.running)
  }

  get running(): number {
    return this.#running.deliveries + this.#running.requests
  }

  get waiting(): number {
    return this.#waiting.length
  }

  #permitsOf(kind: 'deliveries' | 'requests', free: () => number): Permits {
    const tryReserve = (wanted: number) => {
      const permits = Math.max(0, Math.min(wanted, free()))
      this.#running[kind] += permits
      return permits
    }
    return {
      get free() {
        return free()
      },
      reserve: async (wanted, signal) => {
        while (free() <= 0) await this.#freed(signal)
        signal.throwIfAborted()
        return tryReserve(wanted)
      },
      tryReserve,
      release: (permits) => {
        this.#running[kind] -= permits
        // All check again: one may use what another cannot.
        for (const wake of this.#waiting.splice(0)) wake()
      },
    }
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
