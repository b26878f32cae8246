/** What the tests and the dispatcher processes that they start say to each other. */

/** What a job's handler does; the value of a kv entry in the collection `jobs`. */
export interface Job {
  /** How long the handler takes. Default none. */
  readonly ms?: number
  /** `process.exit()` in the first so many attempts. */
  readonly exits?: number
  /** Blocks the event loop for ever in the first so many attempts. */
  readonly blocks?: number
  /** Takes memory until there is none in the first so many attempts. */
  readonly leaks?: number
  /** Throws where nobody catches it, or rejects what nobody awaits, in the first so many attempts. */
  readonly throwsOutside?: number
  readonly rejectsOutside?: number
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

/** How a worker's process is started. */
export interface WorkerProcess {
  /** Heap, in MiB; V8's words at the end of it are not shown. Default V8's own, and everything is shown. */
  readonly heapMb?: number
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
