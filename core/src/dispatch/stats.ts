import type { Outcome } from '../contract/outcome.ts'

/** What this process's dispatcher has brought to an outcome since it started. */
export interface OutcomeCounts {
  readonly done: number
  /** Failed attempts that another one follows, interrupted ones among them. */
  readonly retried: number
  readonly dead: number
  readonly discarded: number
  /** Beyond `maxTriggerDepth`, or beyond the quota `rowsPerRoot`. */
  readonly skipped: number
  /** Dead letters that a handler took care of. */
  readonly handled: number
  /** Dead-letter handlers that failed; none is run again. */
  readonly handlerFailed: number
  /** Put back without having been run, at no attempt's cost. */
  readonly postponed: number
  /** Requests that were answered with a failure. */
  readonly failed: number
  /** Requests whose caller was gone when the reply came. */
  readonly abandoned: number
  /** Requests that nobody could start in time, answered so by this process. */
  readonly overloaded: number
  /** Attempts of other lanes, here or elsewhere, that this one found interrupted. */
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
