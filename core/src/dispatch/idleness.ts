/**
 * Decides whether this dispatcher announces itself as idle, and how long its lanes sleep.
 *
 *   busy ──all lanes found nothing──▶ idle (announced, then looked once more) ──work without a pause──▶ busy
 *
 * Emitters NOTIFY only while some dispatcher is idle. The next poll finds what slips between.
 */
import type pg from 'pg'
import type { Logger } from 'pino'
import { performance } from '../time/clock.ts'
import { announceDispatcher } from '../sql/claim/announce-dispatcher.ts'
import { forgetDispatcher } from '../sql/claim/forget-dispatcher.ts'
import { nextDue } from '../sql/claim/next-due.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Lending, WakeUp, Woken } from '../wake/wake-up.ts'

export interface IdlenessOptions {
  readonly dispatcherId: string
  readonly lanes: number
  readonly pollMs: number
  readonly maxPollMs: number
  readonly sql: Sql
  readonly pool: pg.Pool
  readonly wakeUp: WakeUp
  readonly log: Logger
  readonly listening: () => boolean
}

/** After this long at work without a pause, a dispatcher takes its announcement back. */
const BUSY_AFTER_MS = 50

export class Idleness {
  readonly #options: IdlenessOptions
  #announced = false
  /** A row of this dispatcher may exist. */
  #spoke = false
  #idleLanes = 0
  #busySince: number | undefined

  constructor(options: IdlenessOptions) {
    this.#options = options
  }

  get isAnnounced(): boolean {
    return this.#announced
  }

  worked(): void {
    const now = performance.now()
    this.#busySince ??= now
    if (this.#announced && now - this.#busySince > BUSY_AFTER_MS) {
      this.#announced = false
      void this.beat()
    }
  }

  /**
   * Sleeps after the `rounds`-th empty claim in a row, and lends the connection meanwhile. `looksInMs`: when the lane
   * may look below its watermark; 0 if it just did.
   */
  async rest(
    rounds: number,
    signal: AbortSignal,
    lending: Lending | undefined,
    looksInMs: number,
  ): Promise<Woken | undefined> {
    const { lanes, sql, pool, wakeUp } = this.#options
    this.#idleLanes++
    try {
      if (this.#idleLanes === lanes) {
        this.#busySince = undefined
        if (!this.#announced) {
          this.#announced = true
          await sql.run(pool, announceDispatcher, [this.#options.dispatcherId, true])
          // Emits before the announcement was visible have notified nobody.
          return undefined
        }
      }
      const [found] = await sql.run(pool, nextDue, [])
      return await wakeUp.wait(this.#sleepMs(rounds, found, looksInMs), signal, lending)
    } finally {
      this.#idleLanes--
    }
  }

  /** Announces that this dispatcher lives, and whether it is idle. Never rejects. */
  async beat(): Promise<void> {
    const { sql, pool, dispatcherId, log } = this.#options
    this.#spoke = true
    try {
      await sql.run(pool, announceDispatcher, [dispatcherId, this.#announced])
    } catch (error) {
      // Only hints depend on the heartbeat, and the next beat repeats it.
      log.debug({ err: error }, 'a heartbeat was not written')
    }
  }

  /** Never rejects. A bus that only emits has no row here, and no right to delete one. */
  async signOff(): Promise<void> {
    if (!this.#spoke) return
    const { sql, pool, dispatcherId, log } = this.#options
    try {
      await sql.run(pool, forgetDispatcher, [dispatcherId])
    } catch (error) {
      // Another dispatcher sweeps the row. Until then emitters notify needlessly.
      log.debug({ err: error }, 'could not sign off')
    }
  }

  #sleepMs(
    rounds: number,
    found: { wait_ms: number | null; in_hands: boolean } | undefined,
    looksInMs: number,
  ): number {
    const { pollMs, maxPollMs, listening } = this.#options
    // When another dispatcher dies, the rows in its hands come back without a NOTIFY.
    const relaxed = listening() && found?.in_hands !== true
    const poll = relaxed ? Math.min(maxPollMs, pollMs * 2 ** Math.min(rounds, 10)) : pollMs
    const untilDue = Math.min(found?.wait_ms ?? Number.POSITIVE_INFINITY, looksInMs || Number.POSITIVE_INFINITY)
    return Math.max(1, Math.min(poll * (0.75 + Math.random() / 4), Math.ceil(untilDue)))
  }
}
