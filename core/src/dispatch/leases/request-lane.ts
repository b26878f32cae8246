/**
 * The lane of requests. Somebody waits for each of them, so they do not wait for each other: each is taken under a
 * lease that is committed before its handler starts, and answered as soon as it ends.
 *
 *   permit ──▶ take ──▶ run ──▶ answer (row gone, reply there: one statement)
 *     │ none, or fewer than there are requests
 *     └──▶ shed: what nobody started in time is answered `overloaded`
 *
 * While there is a backlog, apps take turns, and where there are several apps none of them gets all permits (G9, G19).
 *
 * A request is run once. Whoever finds one under a lease that ran out answers that it crashed.
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
  /** Begins to run a taken request. */
  start(delivery: RowDelivery, token: string): Run
  /** After the commit of the reply. */
  onOutcome(delivery: RowDelivery, outcome: Outcome): void
  /** So many requests were answered `overloaded`. */
  onShed(count: number): void
}

/** Permits asked for at a time: one while nothing is there, doubling to this while more is found than was asked for. */
const MOST_AT_A_TIME = 64
/** What an overloaded caller is told to wait, in ms: between this and twice this, so that not all come back together. */
const RETRY_AFTER_MS = 1_000
/** How often those that wait are looked at for shedding, as a share of the time that they may wait. */
const SHARE_OF_PATIENCE = 4
/** A full take of fewer requests is no backlog: a take that finds one request and asks for one is full too. */
const BACKLOG_FROM = 8
/** Takes go on in turns for so long after the last one that found a backlog, in ms. */
const IN_TURNS_FOR_MS = 500

export class RequestLane {
  readonly #options: RequestLaneOptions
  /** How many requests this lane runs, by app. */
  readonly #running = new Map<string, number>()
  readonly #wholeLooks = new WholeLooks()
  #inTurnsUntil = 0
  /** Requests may wait until one of their own app has ended, although there are permits. */
  #holdsBack = false
  #shedAt = 0
  #wanted = 1

  constructor(options: RequestLaneOptions) {
    this.#options = options
  }

  /** Until the signal aborts. Never rejects: while Postgres is away it tries again. */
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
        // As many as there were permits: there are probably more, and none of them is to wait longer than it may. None:
        // some may be waiting for what their trigger's limit leaves.
        if (rows.length === reserved || rows.length === 0) await this.#shed()
        this.#wanted = rows.length === reserved ? Math.min(MOST_AT_A_TIME, this.#wanted * 2) : 1
        return rows.length
      },
    })
  }

  /** At least one, or 0 when the signal aborts. While there is none, requests that waited too long are shed. */
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

  /** Whether some app's share of what is free may be less than a take by age would give it. */
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

  /** Runs those that are to be run, and answers the others. Also for what the lane of limited triggers took. */
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
        // Its lease runs out again, and it is answered then.
        log.warn({ err: error, deliveryId: delivery.deliveryId }, 'a request could not be answered yet')
      },
    )
  }
}
