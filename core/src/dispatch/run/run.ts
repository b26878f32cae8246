/**
 * One running delivery, which its handler or its trigger's timeout ends. A run whose handler returns at once makes no
 * promise unless somebody asks.
 */
import { clearTimeout, performance, setTimeout } from '../../time/clock.ts'
import type { AttemptRules, Result } from './attempt.ts'
import { putBack, runAttempt } from './attempt.ts'
import type { RowDelivery } from './delivery.ts'
import { isThenable } from '../../validation/kinds.ts'
import type { Completion, HandlerTransactions } from './handler-transaction.ts'

export class Run {
  readonly delivery: RowDelivery
  #result: Result | undefined
  #onEnd: ((result: Result) => void) | undefined
  #timer: NodeJS.Timeout | undefined
  readonly #random: () => number

  /** `attempt`: replaces `runAttempt` for a run in a transaction. */
  constructor(delivery: RowDelivery, rules: AttemptRules, attempt?: () => Promise<Result>) {
    this.delivery = delivery
    this.#random = rules.random
    delivery.startedAt = performance.now()
    const result = attempt === undefined ? runAttempt(delivery, rules) : attempt()
    if (isThenable(result)) void result.then((later) => this.#end(later))
    else this.#end(result)
  }

  get result(): Result | undefined {
    return this.#result
  }

  /** Never rejects. After a timeout the handler's own result is ignored. */
  get ended(): Promise<Result> {
    return new Promise((resolve) => this.onEnd(resolve))
  }

  /** Calls `heard` with the result: at once if the run has ended. */
  onEnd(heard: (result: Result) => void): void {
    const before = this.#onEnd
    if (this.#result !== undefined) heard(this.#result)
    else if (before === undefined) this.#onEnd = heard
    else {
      this.#onEnd = (result) => {
        before(result)
        heard(result)
      }
    }
  }

  /** Not armed by the constructor: a timer costs more than a quick handler. */
  armTimeout(): void {
    if (this.#result !== undefined) return
    const { timeoutMs } = this.delivery.plan
    const startedAt = this.delivery.startedAt as number
    this.#timer ??= setTimeout(
      () => {
        const thrown = new Error(`the handler did not end within ${timeoutMs} ms`)
        this.delivery.abort(thrown)
        // The bus's own SQL took the time before the handler began: nobody is charged (G16).
        if (this.delivery.isBegun) this.#end({ kind: 'failed', failure: 'timeout', thrown })
        else this.#end(putBack(thrown, this.#random))
      },
      Math.max(0, timeoutMs - (performance.now() - startedAt)),
    )
  }

  /** Ends the run, whatever the handler still does. */
  giveUp(result: Result, reason: unknown): void {
    this.delivery.abort(reason)
    this.#end(result)
  }

  #end(result: Result): void {
    if (this.#result !== undefined) return
    clearTimeout(this.#timer)
    this.#result = result
    this.delivery.endedAt ??= performance.now()
    this.#onEnd?.(result)
  }
}

/**
 * Runs a transactional delivery in a transaction, with which `completion` commits. A delivery whose lease may have run
 * out is put back, since others may have run it (G3).
 */
export function startRun(
  delivery: RowDelivery,
  rules: AttemptRules,
  transactions: HandlerTransactions,
  completion: () => Completion,
): Run {
  if (performance.now() >= (delivery.startBy ?? Infinity)) {
    const late = new Error('its lease may have run out before its handler was started')
    delivery.log.warn({ err: late }, 'a delivery was not started')
    return new Run(delivery, rules, () => Promise.resolve(putBack(late, rules.random)))
  }
  if (!delivery.plan.transactional) return new Run(delivery, rules)
  return new Run(delivery, rules, () => transactions.attempt(delivery, rules, completion()))
}
