/**
 * Keeps attempts, after the commit of their outcome and apart from it: what it costs is not paid by whoever settles. A
 * process that is killed loses what it had not written yet; errors that decide anything travel with the row itself.
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

/** Which attempts are kept: none, those that failed, all. */
export type HistoryMode = 'off' | 'failures' | 'all'

const FAILURES: ReadonlySet<Outcome['kind']> = new Set(['retry', 'dead', 'failed', 'handler_failed'])
const AT_A_TIME = 1_000
/** While Postgres is away attempts are kept in memory; beyond this the oldest are given up. */
const MOST_KEPT = 50_000
const TRY_AGAIN_MS = 1_000
/** After a write, unless there is a statement's worth before: each costs a commit. What fails after a quiet moment does not wait. */
const PAUSE_MS = 50
const MAX_REASON_CHARACTERS = 500

/** What the history asks of a delivery that has ended. */
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
  /** By `performance.now()`; undefined for what was not started. */
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
  /** Ends the pause. */
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

  /** Writes what there is, once; what cannot be written then is lost. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#resume?.()
    await this.#writing
  }

  async #writeAll(): Promise<void> {
    // A turn of the event loop: what is settled together is written together.
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

  /** What cannot be kept is given up alone: attempts of all apps are written together. */
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
      // There is no partition for the day yet.
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
      // A handler's own word, which may have a NUL in it.
      textArray(
        ended.map(({ outcome }) =>
          'reason' in outcome ? boundedText(outcome.reason, MAX_REASON_CHARACTERS, hideNothing) : null,
        ),
      ),
      textArray(ended.map(({ delivery }) => delivery.row.caller)),
    ])
  }
}

/** Each plan once, and of each attempt where its plan is, from 1. */
function plansOf(ended: readonly Ended[]): { plans: readonly EndedDelivery['plan'][]; places: readonly number[] } {
  const placeOf = new Map<EndedDelivery['plan'], number>()
  const places = ended.map(({ delivery: { plan } }) => {
    const place = placeOf.get(plan) ?? placeOf.size + 1
    placeOf.set(plan, place)
    return place
  })
  return { plans: [...placeOf.keys()], places }
}

/** All digits of a double are more than anybody wants to send, or to read. */
function microseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000
}
