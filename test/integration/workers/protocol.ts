/** What the tests and the dispatcher processes that they start say to each other. */

/** What a job's handler does; the value of a kv entry in the collection `jobs`. */
export interface Job {
  /** How long the handler takes. Default none. */
  readonly ms?: number
  /** `process.exit()` in the first so many attempts. */
  readonly exits?: number
  /** SIGKILL of its own process in the first so many attempts. */
  readonly kills?: number
  /** Throw in the first so many attempts. */
  readonly failures?: number
  /** Throw in an attempt with this probability. */
  readonly failsAtRandom?: number
  /** Its dead-letter handler ends its own process by SIGKILL. */
  readonly killsWhenDead?: boolean
}

export interface WorkerSettings {
  readonly url: string
  readonly dispatch?: Record<string, number>
}

/** One line on the worker's standard output. Times are ms of the machine's monotonic clock, one for all processes. */
export type WorkerLine =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'started'
      readonly key: string
      readonly value: unknown
      readonly deliveryId: string
      readonly attempt: number
      readonly at: number
    }
  | {
      readonly kind: 'ended'
      readonly key: string
      readonly deliveryId: string
      readonly attempt: number
      readonly at: number
    }
  | { readonly kind: 'log'; readonly message: string }
