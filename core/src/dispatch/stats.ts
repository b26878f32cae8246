import type { Outcome } from './attempt.ts'

/** What this process's dispatcher has brought to an outcome since it started. */
export interface OutcomeCounts {
  readonly done: number
  /** Failed attempts that another one follows, interrupted ones among them. */
  readonly retried: number
  readonly dead: number
  readonly discarded: number
  /** Beyond `maxTriggerDepth`. */
  readonly skipped: number
  /** Attempts of other lanes, here or elsewhere, that this one found interrupted. */
  readonly interrupted: number
}

const COUNTED = {
  done: 'done',
  retry: 'retried',
  dead: 'dead',
  discarded: 'discarded',
  skipped: 'skipped',
} as const satisfies Record<Outcome['kind'], keyof OutcomeCounts>

export class OutcomeStats {
  readonly #counts = { done: 0, retried: 0, dead: 0, discarded: 0, skipped: 0, interrupted: 0 }

  outcome(kind: Outcome['kind']): void {
    this.#counts[COUNTED[kind]]++
  }

  interrupted(count: number): void {
    this.#counts.interrupted += count
  }

  get counts(): OutcomeCounts {
    return { ...this.#counts }
  }
}
