/**
 * What the history is made of: what the processes under test say, what the runner does to them, and when. It is kept
 * outside the database under test.
 *
 * An *operation* is one thing that an emitter does, under an id that its event carries. A *life* is one process from its
 * start to its end; the one that takes its place has the same name and another life.
 */

/** How an operation writes. */
export type OperationKind =
  /** `kv.set` by itself. */
  | 'set'
  /** `kv.set` in the caller's transaction, beside a row of its own. */
  | 'set-in-tx'
  /** `kv.set` with a dedupe key, asked again until there is an answer. */
  | 'set-once'
  /** `pubsub.publish` with a dedupe key. */
  | 'publish-once'
  /** `kv.set` by a handler, one trigger deeper. */
  | 'loop'
  /** `kv.set` of what a trigger that comes and goes is for. */
  | 'set-late'
  /** `cx.request`. */
  | 'ask'

export interface Invoke {
  readonly kind: 'invoke'
  readonly op: string
  readonly app: string
  readonly how: OperationKind
  /** Its place among the writes to one ordering key, of which one loop alone writes, one after the other. */
  readonly line?: { readonly key: string; readonly seq: number }
  /** How many triggers are between the first emit of a loop and this one. */
  readonly hop?: number
}

export type Said =
  | { readonly kind: 'hello'; readonly name: string; readonly life: string; readonly pid: number }
  | { readonly kind: 'ready' }
  | Invoke
  /** Committed: it says so itself. */
  | {
      readonly kind: 'ok'
      readonly op: string
      readonly eventId: string
      readonly deliveries: number
      readonly duplicate: boolean
    }
  /** Certainly rolled back. */
  | { readonly kind: 'fail'; readonly op: string }
  /** Nobody knows yet. */
  | { readonly kind: 'info'; readonly op: string; readonly error: string }
  /** What came back of a request; `answered`: the operation that the reply speaks of. */
  | {
      readonly kind: 'reply'
      readonly op: string
      readonly requestId: string
      readonly failure?: string
      readonly answered?: string
    }
  | Begin
  /** Said before the handler returns. */
  | { readonly kind: 'end'; readonly run: number; readonly how: 'ok' | 'failed' }
  /** The bus of a dispatcher says so after the commit. What a killed process had not said is not there. */
  | {
      readonly kind: 'outcome'
      readonly delivery: string
      readonly trigger: string
      readonly attempt: number
      readonly outcome: string
      /** The kind of failure, if the attempt failed. */
      readonly failure?: string
    }
  /** Postgres refused it something for want of rights. */
  | { readonly kind: 'forbidden'; readonly text: string }
  /** A warning of its bus. For whoever reads the history. */
  | { readonly kind: 'log'; readonly text: string }
  /** The event loop of the process stood still for so long, up to now. */
  | { readonly kind: 'stall'; readonly ms: number }

export interface Begin {
  readonly kind: 'begin'
  /** Counts within its life. */
  readonly run: number
  readonly op: string
  readonly trigger: string
  readonly delivery: string
  readonly attempt: number
  readonly app: string
  readonly principal?: string
  readonly depth: number
  /** The id of the request, if it is one. */
  readonly request?: string
  /** The id of the dead letter, if the handler is one of dead letters. */
  readonly letter?: string
  /** What the app's own entry, under a key that every app has, says of whose it is. */
  readonly saw?: string
}

/** What the runner writes itself. */
export type Noted =
  | { readonly kind: 'spawn'; readonly life: string; readonly name: string; readonly pid: number }
  | {
      readonly kind: 'exit'
      readonly life: string
      readonly name: string
      readonly code: number | null
      readonly signal: string | null
      /** The end of its standard error, where it ended by itself. */
      readonly words?: string
    }
  | { readonly kind: 'open'; readonly window: number; readonly fault: string; readonly hurt: readonly string[] }
  | { readonly kind: 'close'; readonly window: number }
  /** The database is about to be another one, which lacks what was committed last. */
  | { readonly kind: 'rewinding' }
  /** It is: it has all that was acknowledged before `since`, and of what came after it the rows of the operations in `has`. */
  | { readonly kind: 'rewound'; readonly since: number; readonly has: readonly string[] }
  /** A trigger that comes and goes is being made or deleted, or is as it will be for a while. */
  | { readonly kind: 'trigger'; readonly app: string; readonly state: 'changing' | 'there' | 'gone' }

/** The name of the windows in which the machine was slow. */
export const SLOW_MACHINE = 'slow-machine'

/** `at`: ms of the collector's monotonic clock. `life`: whose word it is; empty for the runner's. */
export type HistoryRecord = (Said | Noted) & { readonly at: number; readonly life: string }
