import type { Outcome } from '../contract/outcome.ts'

/** Outcomes of this process's dispatcher since it started. */
export interface OutcomeCounts {
  readonly done: number
  /** Failed or interrupted attempts that another one follows. */
  readonly retried: number
  readonly dead: number
  readonly discarded: number
  /** Beyond `maxTriggerDepth`, or beyond the quota `rowsPerRoot`. */
  readonly skipped: number
  /** Dead letters that a handler took care of. */
  readonly handled: number
  /** Dead-letter handlers that failed. None runs again. */
  readonly handlerFailed: number
  /** Put back without a run, at the cost of no attempt. */
  readonly postponed: number
  /** Requests answered with a failure. */
  readonly failed: number
  /** Requests whose caller was gone when the reply came. */
  readonly abandoned: number
  /** Requests that nobody could start in time, and this process answered. */
  readonly overloaded: number
  /** Attempts that this dispatcher found interrupted, whoever had started them. */
  readonly interrupted: number
}

const COUNTED = {
  done: 'done',
  retry: 'retried',
  dead: 'dead',
  discarded: 'discarded',
  skipped: 'skipped',
  handled: 'handled',
  handler_failed: 'handlerFailed',
  postponed: 'postponed',
  failed: 'failed',
  abandoned: 'abandoned',
} as const satisfies Record<Outcome['kind'], keyof OutcomeCounts>

export class OutcomeStats {
  readonly #counts = {
    done: 0,
    retried: 0,
    dead: 0,
    discarded: 0,
    skipped: 0,
    handled: 0,
    handlerFailed: 0,
    postponed: 0,
    failed: 0,
    abandoned: 0,
    overloaded: 0,
    interrupted: 0,
  }

  outcome(kind: Outcome['kind']): void {
    this.#counts[COUNTED[kind]]++
  }

  overloaded(count: number): void {
    this.#counts.overloaded += count
  }

  interrupted(count: number): void {
    this.#counts.interrupted += count
  }

  get counts(): OutcomeCounts {
    return { ...this.#counts }
  }
}
