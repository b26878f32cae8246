/**
 * Writes attempts to the history after their outcome has committed, so that settling does not pay for it. A killed
 * process loses what it had not written; errors that matter travel with the row.
 */
import type pg from 'pg'
import type { Logger } from 'pino'
import { clearTimeout, performance, setImmediate, setTimeout } from '../time/clock.ts'
import type { Outcome } from '../contract/outcome.ts'
import { boundedText } from '../secrets/bounded-text.ts'
import { hideNothing } from '../secrets/hide-secrets.ts'
import { SQL_STATE, sqlStateOf } from '../postgres/postgres-errors.ts'
import { isFaultOfRow } from '../set-aside/fault.ts'
import type { SetAsideRows } from '../set-aside/set-aside.ts'
import { jsonArray, plainArray, textArray } from '../postgres/arrays.ts'
import { addDays } from '../sql/history/days.ts'
import { recordAttempts } from '../sql/history/record-attempts.ts'
import type { Sql } from '../postgres/statement.ts'

/** Which attempts are kept: none, failed ones, or all. */
export type HistoryMode = 'off' | 'failures' | 'all'

const FAILURES: ReadonlySet<Outcome['kind']> = new Set(['retry', 'dead', 'failed', 'handler_failed'])
const AT_A_TIME = 1_000
/** The most that is kept in memory while Postgres is away. The oldest are given up first. */
const MOST_KEPT = 50_000
const TRY_AGAIN_MS = 1_000
/**
 * Pause after a write, because each costs a commit; a full statement ends it. The first attempt after a quiet moment
 * does not wait.
 */
const PAUSE_MS = 50
const MAX_REASON_CHARACTERS = 500

interface EndedDelivery {
  readonly deliveryId: string
  readonly eventId: string
  readonly attempt: number
  readonly plan: {
    readonly app: string
    readonly triggerId: string
    readonly name: string
    readonly sourceName: string
  }
  readonly row: { readonly caller: string | null }
  /** By `performance.now()`; undefined if it was not started. */
  readonly startedAt: number | undefined
  readonly endedAt: number | undefined
}

interface Ended {
  readonly delivery: EndedDelivery
  readonly outcome: Outcome
  readonly at: number
}

export class AttemptRecorder {
  readonly #sql: Sql
  readonly #pool: pg.Pool
  readonly #mode: HistoryMode
  readonly #log: Logger
  readonly #aside: SetAsideRows
  #ended: Ended[] = []
  #writing: Promise<void> | undefined
  #stopped = false
  #resume: (() => void) | undefined

  constructor(sql: Sql, pool: pg.Pool, mode: HistoryMode, log: Logger, aside: SetAsideRows) {
    this.#aside = aside
    this.#sql = sql
    this.#pool = pool
    this.#mode = mode
    this.#log = log
  }

  add(delivery: EndedDelivery, outcome: Outcome): void {
    if (this.#mode === 'off' || outcome.kind === 'postponed') return
    if (this.#mode === 'failures' && !FAILURES.has(outcome.kind)) return
    this.#ended.push({ delivery, outcome, at: performance.now() })
    this.#writing ??= this.#writeAll()
    if (this.#ended.length >= AT_A_TIME) this.#resume?.()
  }

  /** Writes what there is, once. What fails then is lost. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#resume?.()
    await this.#writing
  }

  async #writeAll(): Promise<void> {
    // After a turn of the event loop, what settles together is written together.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#ended.length > 0) {
      const some = this.#ended.slice(0, AT_A_TIME)
      try {
        await this.#write(some)
        this.#ended = this.#ended.slice(some.length)
        if (this.#ended.length < AT_A_TIME && !this.#stopped) await this.#pause()
      } catch (error) {
        this.#log.warn({ err: error, attempts: this.#ended.length }, 'attempts could not be kept yet')
        if (this.#stopped) break
        if (this.#ended.length > MOST_KEPT) this.#ended = this.#ended.slice(-MOST_KEPT)
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS))
      }
    }
    this.#writing = undefined
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PAUSE_MS)
      this.#resume = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #write(ended: readonly Ended[]): Promise<void> {
    try {
      await this.#insertInPartition(ended)
    } catch (error) {
      if (!isFaultOfRow(error)) throw error
      await this.#writeOneByOne(ended)
    }
  }

  /** Attempts of all apps are written together, so only the faulty one is given up. */
  async #writeOneByOne(ended: readonly Ended[]): Promise<void> {
    for (const one of ended) {
      try {
        await this.#insertInPartition([one])
      } catch (error) {
        if (!isFaultOfRow(error)) throw error
        const { deliveryId, attempt, plan } = one.delivery
        await this.#aside.put(this.#pool, { app: plan.app, kind: 'attempt', id: `${deliveryId}.${attempt}` }, error)
      }
    }
  }

  async #insertInPartition(ended: readonly Ended[]): Promise<void> {
    try {
      await this.#insert(ended)
    } catch (error) {
      // The day has no partition yet.
      if (sqlStateOf(error) !== SQL_STATE.checkViolation) throw error
      await this.#sql.run(this.#pool, addDays, ['attempts'])
      await this.#insert(ended)
    }
  }

  async #insert(ended: readonly Ended[]): Promise<void> {
    const now = performance.now()
    const { plans, places } = plansOf(ended)
    await this.#sql.run(this.#pool, recordAttempts, [
      textArray(plans.map((plan) => plan.app)),
      plainArray(plans.map((plan) => plan.triggerId)),
      textArray(plans.map((plan) => plan.name)),
      textArray(plans.map((plan) => plan.sourceName)),
      plainArray(places),
      plainArray(ended.map(({ delivery }) => delivery.deliveryId)),
      plainArray(ended.map(({ delivery }) => delivery.eventId)),
      plainArray(ended.map(({ delivery }) => delivery.attempt)),
      plainArray(
        ended.map(({ delivery: { startedAt } }) => (startedAt === undefined ? null : microseconds(now - startedAt))),
      ),
      plainArray(ended.map(({ delivery, at }) => microseconds(now - (delivery.endedAt ?? at)))),
      plainArray(ended.map(({ outcome }) => outcome.kind)),
      jsonArray(ended.map(({ outcome }) => ('error' in outcome ? JSON.stringify(outcome.error) : null))),
      // A handler's own text may contain NUL.
      textArray(
        ended.map(({ outcome }) =>
          'reason' in outcome ? boundedText(outcome.reason, MAX_REASON_CHARACTERS, hideNothing) : null,
        ),
      ),
      textArray(ended.map(({ delivery }) => delivery.row.caller)),
    ])
  }
}

/** Each plan once, and each attempt's place among them, from 1. */
function plansOf(ended: readonly Ended[]): { plans: readonly EndedDelivery['plan'][]; places: readonly number[] } {
  const placeOf = new Map<EndedDelivery['plan'], number>()
  const places = ended.map(({ delivery: { plan } }) => {
    const place = placeOf.get(plan) ?? placeOf.size + 1
    placeOf.set(plan, place)
    return place
  })
  return { plans: [...placeOf.keys()], places }
}

/** More digits than anybody needs are cut. */
function microseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000
}
