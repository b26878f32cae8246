/** What a dispatcher needs for requests: their lane, their leases and the writer of their replies. */
import type { InboxResolver } from '../../inbox/resolver.ts'
import type pg from 'pg'
import type { ClaimedTexts } from '../../sql/claim/claim-batch.ts'
import type { Sql } from '../../postgres/statement.ts'
import type { AttemptRules, Result } from '../run/attempt.ts'
import type { Outcome } from '../../contract/outcome.ts'
import { settledOutcome } from '../run/attempt.ts'
import { DeliveryFailure } from '../../contract/delivery-failure.ts'
import type { OutboxRow } from '../run/outbox-row.ts'
import { Settlement } from '../run/settle.ts'
import type { Completion, HandlerTransactions } from '../run/handler-transaction.ts'
import { LeaseKeeper } from '../run/lease-keeper.ts'
import type { RequestLaneOptions } from './request-lane.ts'
import { RequestLane } from './request-lane.ts'
import type { AnswerRules } from './request-outcome.ts'
import { answerOf } from './request-outcome.ts'
import type { Answered } from './request-settler.ts'
import { RequestSettler } from './request-settler.ts'
import type { Run } from '../run/run.ts'
import { startRun } from '../run/run.ts'
import type { WakeUps } from '../../wake/wake-up.ts'

export interface RequestDispatchOptions extends Omit<
  RequestLaneOptions,
  'leases' | 'leaseMs' | 'settler' | 'start' | 'onOutcome' | 'onShed'
> {
  readonly leaseMs: number
  readonly inboxes: InboxResolver
  readonly report: { readonly outcome: RequestLaneOptions['onOutcome']; readonly shed: RequestLaneOptions['onShed'] }
  readonly rules: AttemptRules
  readonly transactions: HandlerTransactions
  readonly singleWakeUps: WakeUps
}

export class RequestDispatch {
  readonly leases: LeaseKeeper
  readonly #lane: RequestLane
  /** Runs that leave room under their trigger's limit when they end. */
  readonly #limited = new WeakSet<Run>()

  constructor(options: RequestDispatchOptions) {
    const { sql, pool, inboxes, answers, report, log, leaseMs, rules, transactions } = options
    const settler = new RequestSettler(sql, pool, inboxes, log)
    const settle = settleRequest(settler, answers, (row, token, outcome) => putBackOn(sql, pool, row, token, outcome))
    const onSettled = (run: Run, outcome: Outcome) => {
      report.outcome(run.delivery, outcome)
      if (this.#limited.has(run)) options.singleWakeUps.all()
    }
    this.leases = new LeaseKeeper({ sql, pool, leaseMs, log, settle, onSettled })
    this.#lane = new RequestLane({
      ...options,
      leases: this.leases,
      settler,
      start: (delivery, token) =>
        startRun(delivery, rules, transactions, () => completion(settler, answers, delivery.deliveryId, token)),
      onOutcome: (delivery, outcome) => report.outcome(delivery, outcome),
      onShed: (count) => report.shed(count),
    })
  }

  /** Starts requests that another lane took under `token`. Returns those that run. */
  async startTaken(rows: readonly ClaimedTexts[], token: string, startBy: number): Promise<Run[]> {
    const runs = await this.#lane.startTaken(rows, token, startBy)
    for (const run of runs) this.#limited.add(run)
    return runs
  }

  /** Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    return this.#lane.run(signal)
  }
}

type PutBack = (row: OutboxRow, token: string, outcome: PostponedOutcome) => Promise<Outcome | undefined>
type PostponedOutcome = Extract<Outcome, { kind: 'postponed' }>

/** A request is put back for this share of a delivery's delay. */
const SHARE_OF_DELAY = 10

function settleRequest(settler: RequestSettler, rules: AnswerRules, putBack: PutBack) {
  return async (run: Run, token: string, result: Result): Promise<Outcome | undefined> => {
    const settled = settledOutcome(result)
    if (settled !== undefined) return settled
    if (result.kind === 'postponed' && result.ownFault)
      return putBack(run.delivery.row, token, { kind: 'postponed', delayMs: result.delayMs / SHARE_OF_DELAY })
    const { reply, outcome } = answerOf(result, rules)
    return outcomeOf(await settler.answer(run.delivery.deliveryId, token, reply), outcome)
  }
}

/** The request was not started, and is taken again while its caller waits. */
async function putBackOn(
  sql: Sql,
  pool: pg.Pool,
  row: OutboxRow,
  token: string,
  outcome: PostponedOutcome,
): Promise<Outcome | undefined> {
  const settlement = new Settlement(token)
  settlement.settle(row, outcome)
  const [settled] = await Promise.all(settlement.send(sql, pool))
  return (settled?.rowCount ?? 0) > 0 ? outcome : undefined
}

/** The reply commits with what the handler wrote. */
function completion(settler: RequestSettler, rules: AnswerRules, id: string, token: string): Completion {
  let tell: (() => void) | undefined
  return {
    async write(on, result) {
      const { reply, outcome } = answerOf(result, rules)
      // A reply that is not valid is a failure, which rolls back what the handler wrote.
      if (outcome.kind === 'failed') throw new DeliveryFailure('handler_error', outcome.error.message)
      const written = await settler.answerIn(on, { id, token, reply })
      ;({ tell } = written)
      return outcomeOf(written.answered, outcome)
    },
    committed: () => tell?.(),
  }
}

function outcomeOf(answered: Answered, outcome: Outcome): Outcome | undefined {
  if (answered === 'lost') return undefined
  return answered === 'abandoned' ? { kind: 'abandoned' } : outcome
}
