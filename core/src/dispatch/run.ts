/** One delivery being run, with the trigger's timeout. Ends exactly once: by its handler, or by the timeout. */
import type { AttemptRules, Result } from './attempt.ts'
import { runAttempt } from './attempt.ts'
import type { RowDelivery } from './delivery.ts'
import type { Completion, HandlerTransactions } from './handler-transaction.ts'

export class Run {
  readonly delivery: RowDelivery
  /** Never rejects. After a timeout the handler's own result is ignored. */
  readonly ended: Promise<Result>
  readonly #startedAt = performance.now()
  #end!: (result: Result) => void
  #timer: NodeJS.Timeout | undefined

  /** `attempt`: where it is run in a transaction. */
  constructor(
    delivery: RowDelivery,
    rules: AttemptRules,
    attempt: () => Promise<Result> = () => runAttempt(delivery, rules),
  ) {
    this.delivery = delivery
    delivery.startedAt = this.#startedAt
    this.ended = new Promise((resolve) => {
      this.#end = (result) => {
        delivery.endedAt ??= performance.now()
        resolve(result)
      }
    })
    void attempt().then((result) => {
      clearTimeout(this.#timer)
      this.#end(result)
    })
  }

  /** Not done by the constructor: a timer for each delivery would cost more than a quick handler does. */
  armTimeout(): void {
    const { timeoutMs } = this.delivery.plan
    this.#timer ??= setTimeout(
      () => {
        const thrown = new Error(`the handler did not end within ${timeoutMs} ms`)
        this.delivery.abort(thrown)
        this.#end({ kind: 'failed', failure: 'timeout', thrown })
      },
      Math.max(0, timeoutMs - (performance.now() - this.#startedAt)),
    )
  }

  /** Ends it now, whatever the handler still does. */
  giveUp(result: Result, reason: unknown): void {
    clearTimeout(this.#timer)
    this.delivery.abort(reason)
    this.#end(result)
  }
}

/** In a transaction of its own, where its trigger says so; `completion` is what then commits with what the handler wrote. */
export function startRun(
  delivery: RowDelivery,
  rules: AttemptRules,
  transactions: HandlerTransactions,
  completion: () => Completion,
): Run {
  if (!delivery.plan.transactional) return new Run(delivery, rules)
  return new Run(delivery, rules, () => transactions.attempt(delivery, rules, completion()))
}
