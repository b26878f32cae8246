/** What a dispatcher needs for requests: their lane, the leases that they run under, and who writes their replies. */
import type { InboxResolver } from '../inbox/resolver.ts'
import type { Outcome, Result } from './attempt.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import type { OutcomeReport } from './report.ts'
import type { RequestLaneOptions } from './request-lane.ts'
import { RequestLane } from './request-lane.ts'
import type { AnswerRules } from './request-outcome.ts'
import { answerOf } from './request-outcome.ts'
import { RequestSettler } from './request-settler.ts'
import type { Run } from './run.ts'

export interface RequestDispatchOptions extends Omit<
  RequestLaneOptions,
  'leases' | 'leaseMs' | 'settler' | 'onOutcome' | 'onShed'
> {
  /** Of deliveries; a request's is no longer than {@link REQUEST_LEASE_MS}. */
  readonly leaseMs: number
  readonly inboxes: InboxResolver
  readonly report: OutcomeReport
}

/** Of a request that runs: when its process dies, its caller hears of it after this. */
const REQUEST_LEASE_MS = 5_000

export class RequestDispatch {
  readonly leases: LeaseKeeper
  readonly #lane: RequestLane

  constructor(options: RequestDispatchOptions) {
    const { sql, pool, inboxes, answers, report, log } = options
    const leaseMs = Math.min(options.leaseMs, REQUEST_LEASE_MS)
    const settler = new RequestSettler(sql, pool, inboxes)
    const settle = settleRequest(settler, answers)
    const onSettled = (run: Run, outcome: Outcome) => report.outcome(run.delivery, outcome)
    this.leases = new LeaseKeeper({ sql, pool, leaseMs, log, settle, onSettled })
    this.#lane = new RequestLane({
      ...options,
      leases: this.leases,
      leaseMs,
      settler,
      onOutcome: (delivery, outcome) => report.outcome(delivery, outcome),
      onShed: (count) => report.shed(count),
    })
  }

  /** Until the signal aborts. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    return this.#lane.run(signal)
  }
}

function settleRequest(settler: RequestSettler, rules: AnswerRules) {
  return async (run: Run, token: string, result: Result): Promise<Outcome | undefined> => {
    const { reply, outcome } = answerOf(result, rules)
    const answered = await settler.answer(run.delivery.deliveryId, token, reply)
    if (answered === 'lost') return undefined
    return answered === 'abandoned' ? { kind: 'abandoned' } : outcome
  }
}
