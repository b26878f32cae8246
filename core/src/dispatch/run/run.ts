/**
 * One delivery being run, with the trigger's timeout. Ends exactly once: by its handler, or by the timeout. A handler that
 * returns at once has ended when the constructor is through: no promise is made for it unless somebody asks.
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

  /** `attempt`: where it is run in a transaction. */
  constructor(delivery: RowDelivery, rules: AttemptRules, attempt?: () => Promise<Result>) {
    this.delivery = delivery
    this.#random = rules.random
    delivery.startedAt = performance.now()
    const result = attempt === undefined ? runAttempt(delivery, rules) : attempt()
    if (isThenable(result)) void result.then((later) => this.#end(later))
    else this.#end(result)
  }

  /** Undefined while it runs. */
  get result(): Result | undefined {
    return this.#result
  }

  /** Never rejects. After a timeout the handler's own result is ignored. */
  get ended(): Promise<Result> {
    return new Promise((resolve) => this.onEnd(resolve))
  }

  /** Calls `heard` with the result once there is one: at once, where it has ended. */
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

  /** Not done by the constructor: a timer for each delivery would cost more than a quick handler does. */
  armTimeout(): void {
    if (this.#result !== undefined) return
    const { timeoutMs } = this.delivery.plan
    const startedAt = this.delivery.startedAt as number
    this.#timer ??= setTimeout(
      () => {
        const thrown = new Error(`the handler did not end within ${timeoutMs} ms`)
        this.delivery.abort(thrown)
        // What was not begun yet is not begun any more, and the bus's own SQL took the time: nobody is charged (G16).
        if (this.delivery.isBegun) this.#end({ kind: 'failed', failure: 'timeout', thrown })
        else this.#end(putBack(thrown, this.#random))
      },
      Math.max(0, timeoutMs - (performance.now() - startedAt)),
    )
  }

  /** Ends it now, whatever the handler still does. */
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
 * In a transaction of its own, where its trigger says so; `completion` is what then commits with what the handler wrote. What comes
 * to be started only when its lease may have run out is put back instead: others may have run it by then (G3).
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
