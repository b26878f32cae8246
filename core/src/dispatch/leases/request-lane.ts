/**
 * The lane of requests. Each request is taken under a lease that is committed before the handler starts, and is
 * answered when the handler ends. So no caller waits for another one's request.
 *
 *   permit ──▶ take ──▶ run ──▶ answer (row gone, reply there: one statement)
 *     │ none, or fewer than there are requests
 *     └──▶ shed: what nobody started in time is answered `overloaded`
 *
 * In a backlog apps take turns, and none of several gets all permits (G9, G19). A request whose lease ran out is not
 * run again but answered as crashed.
 */
import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import type { Logger } from 'pino'
import { clearTimeout, performance, setTimeout } from '../../time/clock.ts'
import { withOwnTransaction } from '../../postgres/database-calls.ts'
import { failedReply } from '../../inbox/reply.ts'
import { claimSettings } from '../../sql/claim/begin-claim.ts'
import {
  CALLER_GONE,
  PAUSED,
  PREVIOUS_TOKEN,
  takeRequests,
  takeRequestsInTurns,
  takeRequestsInTurnsNear,
} from '../../sql/claim/take-requests.ts'
import type { TakeInTurnsParameters, TakeRequestsParameters } from '../../sql/claim/take-requests.ts'
import type { ClaimedTexts } from '../../sql/claim/claim-batch.ts'
import type { FailureKind } from '../../contract/failure-kinds.ts'
import type { Sql } from '../../postgres/statement.ts'
import type { Outcome } from '../../contract/outcome.ts'
import type { DeliverySurroundings } from '../run/delivery.ts'
import { RowDelivery } from '../run/delivery.ts'
import { DeliveryFailure } from '../../contract/delivery-failure.ts'
import type { Permits } from '../gate/gate.ts'
import type { Isolation } from '../gate/isolation.ts'
import type { Latest } from '../../time/lease-clock.ts'
import type { LeaseKeeper } from '../run/lease-keeper.ts'
import { leasedLoop, leasedTurn } from './leased-turn.ts'
import { OutboxRow } from '../run/outbox-row.ts'
import type { Plans } from '../run/plan.ts'
import type { AnswerRules } from './request-outcome.ts'
import { answerOf } from './request-outcome.ts'
import type { RequestSettler } from './request-settler.ts'
import type { Run } from '../run/run.ts'
import type { Starts } from './starts.ts'
import type { RunsAsRules } from '../run/run-as.ts'
import { resolveRunsAs } from '../run/run-as.ts'
import type { WakeUp } from '../../wake/wake-up.ts'
import { WholeLooks } from '../../wake/whole-looks.ts'

export interface RequestLaneOptions {
  readonly sql: Sql
  readonly pool: pg.Pool
  readonly permits: Permits
  readonly isolation: Isolation
  readonly leases: LeaseKeeper
  readonly leaseMs: number
  readonly settler: RequestSettler
  readonly around: DeliverySurroundings
  readonly plans: Plans
  readonly principals: RunsAsRules
  readonly answers: AnswerRules
  readonly wakeUp: WakeUp
  readonly starts: Pick<Starts, 'requests'>
  readonly leaseClock: Latest
  readonly log: Logger
  readonly holdMs: number
  readonly frozenAfterMs: number
  readonly pollMs: number
  readonly overloadedAfterMs: number
  start(delivery: RowDelivery, token: string): Run
  /** Called after the commit of the reply. */
  onOutcome(delivery: RowDelivery, outcome: Outcome): void
  onShed(count: number): void
}

/** Permits asked for at a time: one at first, doubled up to this while takes are full. */
const MOST_AT_A_TIME = 64
/** An overloaded caller is told to wait between once and twice this, in ms, so that not all come back together. */
const RETRY_AFTER_MS = 1_000
/** How many times a waiting request is looked at for shedding before its time is over. */
const SHARE_OF_PATIENCE = 4
/** A full take of fewer requests is no backlog: a take of one is full too. */
const BACKLOG_FROM = 8
/** How long takes go on in turns after the last backlog, in ms. */
const IN_TURNS_FOR_MS = 500

export class RequestLane {
  readonly #options: RequestLaneOptions
  readonly #running = new Map<string, number>()
  readonly #wholeLooks = new WholeLooks()
  #inTurnsUntil = 0
  /** Requests may wait for one of their own app to end, although permits are free. */
  #holdsBack = false
  #shedAt = 0
  #wanted = 1

  constructor(options: RequestLaneOptions) {
    this.#options = options
  }

  /** Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    const { wakeUp, pollMs, log } = this.#options
    return leasedLoop({ wakeUp, log, signal, restMs: () => pollMs, turn: () => this.#turn(signal) })
  }

  #turn(signal: AbortSignal): Promise<number> {
    return leasedTurn({
      ...this.#options,
      reserve: () => this.#permits(signal),
      takeAndStart: async (reserved, onStarted) => {
        const token = randomUUID()
        const startBy = performance.now() + this.#options.leaseMs
        const rows = await this.#take(token, reserved)
        for (const run of await this.startTaken(rows, token, startBy)) {
          this.#count(run)
          onStarted(run)
        }
        // A full take probably left requests behind, which must not wait too long. After an empty take, some may wait
        // for their trigger's limit.
        if (rows.length === reserved || rows.length === 0) await this.#shed()
        this.#wanted = rows.length === reserved ? Math.min(MOST_AT_A_TIME, this.#wanted * 2) : 1
        return rows.length
      },
    })
  }

  /** At least one permit, or 0 when the signal aborts. Sheds requests while none is free. */
  async #permits(signal: AbortSignal): Promise<number> {
    const { permits, overloadedAfterMs } = this.#options
    while (!signal.aborted) {
      const patience = new AbortController()
      const over = AbortSignal.any([signal, patience.signal])
      const timer = setTimeout(() => patience.abort(), overloadedAfterMs / SHARE_OF_PATIENCE)
      try {
        return await permits.reserve(this.#wanted, over)
      } catch (error) {
        if (!over.aborted) throw error
      } finally {
        clearTimeout(timer)
      }
      await this.#shed()
    }
    return 0
  }

  async #shed(): Promise<void> {
    const { settler, overloadedAfterMs, onShed, starts } = this.#options
    const now = performance.now()
    if (now - this.#shedAt < overloadedAfterMs / SHARE_OF_PATIENCE) return
    this.#shedAt = now
    const retryAfterMs = Math.round(RETRY_AFTER_MS * (1 + Math.random()))
    const message = `nobody could start it within ${overloadedAfterMs} ms: no permit was free, or its trigger was at its limit`
    const reply = failedReply({ kind: 'overloaded', message }, retryAfterMs)
    const count = await settler.shed(overloadedAfterMs, JSON.stringify(reply), starts.requests[0])
    if (count > 0) onShed(count)
  }

  async #take(token: string, limit: number): Promise<ClaimedTexts[]> {
    const { sql, pool, leaseMs, starts, permits, leaseClock } = this.#options
    const parameters: TakeRequestsParameters = [token, leaseMs, limit, ...starts.requests, leaseClock.latestS]
    const free = permits.free + limit
    const inTurns = performance.now() < this.#inTurnsUntil || this.#isShort(free, limit)
    const rows = inTurns
      ? await this.#takeInTurns([...parameters, [...this.#running.keys()], [...this.#running.values()], free])
      : await sql.run(pool, takeRequests, parameters)
    if (rows.length === limit && this.#wanted >= BACKLOG_FROM) this.#inTurnsUntil = performance.now() + IN_TURNS_FOR_MS
    this.#holdsBack = inTurns && rows.length < limit
    return rows
  }

  #takeInTurns(parameters: TakeInTurnsParameters): Promise<ClaimedTexts[]> {
    const { sql, pool, starts, frozenAfterMs } = this.#options
    const take = (stated: typeof takeRequestsInTurns) =>
      withOwnTransaction(pool, (tx) => sql.run(tx, stated, parameters), claimSettings(frozenAfterMs))
    if (Math.max(...starts.requests) > -Infinity && !this.#wholeLooks.isDue) return take(takeRequestsInTurnsNear)
    return this.#wholeLooks.during(() => take(takeRequestsInTurns))
  }

  /** Whether an app's fair share may be less than a take by age would give the app. */
  #isShort(free: number, limit: number): boolean {
    for (const running of this.#running.values()) if (3 * free - running < 4 * limit) return true
    return false
  }

  #count({ delivery: { app }, ended }: Run): void {
    this.#running.set(app, (this.#running.get(app) ?? 0) + 1)
    void ended.then(() => {
      const left = (this.#running.get(app) as number) - 1
      if (left === 0) this.#running.delete(app)
      else this.#running.set(app, left)
      if (this.#holdsBack) this.#options.wakeUp.one()
    })
  }

  /** Runs or answers each taken request. The lane of limited triggers calls it too. */
  async startTaken(rows: readonly ClaimedTexts[], token: string, startBy: number): Promise<Run[]> {
    const { plans, around, leases, principals, pool, start } = this.#options
    const deliveries: RowDelivery[] = []
    for (const texts of rows) {
      const row = new OutboxRow(texts)
      const delivery = new RowDelivery(row, plans.of(row.trigger), around)
      delivery.startBy = startBy
      if (texts[PREVIOUS_TOKEN] !== null)
        this.#refuse(delivery, token, 'crashed', 'the process that ran the request ended, or lost its connection')
      else if (texts[CALLER_GONE] === 't')
        this.#refuse(delivery, token, 'cancelled', 'the caller was gone before the request was started')
      else if (texts[PAUSED] === 't') this.#refuse(delivery, token, 'unavailable', 'its trigger is paused')
      else deliveries.push(delivery)
    }
    await resolveRunsAs(deliveries, principals, pool)
    return deliveries.map((delivery) => {
      const run = start(delivery, token)
      run.armTimeout()
      leases.hold(run, token)
      return run
    })
  }

  #refuse(delivery: RowDelivery, token: string, failure: FailureKind, message: string): void {
    const { settler, answers, log, onOutcome } = this.#options
    const thrown = new DeliveryFailure(failure, message)
    const { reply, outcome } = answerOf({ kind: 'failed', failure, thrown }, answers)
    settler.answer(delivery.deliveryId, token, reply).then(
      (answered) => {
        if (answered !== 'lost') onOutcome(delivery, answered === 'abandoned' ? { kind: 'abandoned' } : outcome)
      },
      (error: unknown) => {
        // The request is answered when its lease has run out.
        log.warn({ err: error, deliveryId: delivery.deliveryId }, 'a request could not be answered yet')
      },
    )
  }
}
