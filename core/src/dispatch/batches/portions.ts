/**
 * Decides which portion of a backlog each lane claims, so that lanes do not look at each other's locked rows
 * (docs/claim-protocol.md). A portion is only a hint.
 */
import { performance } from '../../time/clock.ts'
import type pg from 'pg'
import type { Logger } from 'pino'
import { findPlace } from '../../sql/claim/find-place.ts'
import type { Sql } from '../../postgres/statement.ts'
import { ClockWatch } from '../../time/clock-watch.ts'
import type { LeaseClock } from '../../time/lease-clock.ts'

/** Rows whose block of ids, counted modulo `of`, is `mine`. */
export interface Portion {
  readonly of: number
  readonly mine: number
}

export const WHOLE: Portion = { of: 1, mine: 0 }

/** Rows that are locked or uncommitted when the clock is set back appear within this time. */
const HEEDS_CLOCK_MS = 60_000

export interface PortionsOptions {
  readonly dispatcherId: string
  readonly lanes: number
  readonly sql: Sql
  readonly pool: pg.Pool
  readonly log: Logger
  readonly leaseClock: LeaseClock
  onAhead(): void
}

export class Portions {
  readonly #options: PortionsOptions
  readonly #clock = new ClockWatch()
  #place = { others: 0, before: 0 }
  #heedsClockUntilMs = 0

  constructor(options: PortionsOptions) {
    this.#options = options
  }

  /** This one included. */
  get dispatchers(): number {
    return this.#place.others + 1
  }

  /** The database's clock was set back a short while ago. */
  get heedsClock(): boolean {
    return performance.now() < this.#heedsClockUntilMs
  }

  /** Assumes that all dispatchers have as many lanes as this one. */
  of(lane: number): Portion {
    const { lanes } = this.#options
    const { before } = this.#place
    return { of: this.dispatchers * lanes, mine: before * lanes + lane }
  }

  /** Never rejects. */
  async refresh(): Promise<void> {
    const { sql, pool, dispatcherId, log } = this.#options
    try {
      const askedAtMs = performance.now()
      const [place] = await sql.run(pool, findPlace, [dispatcherId])
      if (place === undefined) return
      this.#place = place
      if (this.#options.leaseClock.heard(place.clock_s, askedAtMs)) this.#options.onAhead()
      if (this.#clock.wasSetBack(place.clock_s, askedAtMs) || place.ahead)
        this.#heedsClockUntilMs = performance.now() + HEEDS_CLOCK_MS
    } catch (error) {
      log.debug({ err: error }, 'the other dispatchers were not counted')
    }
  }
}
