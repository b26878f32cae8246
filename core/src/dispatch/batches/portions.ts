/**
 * Which portion of a backlog each lane claims, among the lanes of all dispatchers: so that it does not look at what the others have
 * locked, row by row. A hint like NOTIFY: whoever is missing, or is not there any more, costs only time.
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

/** Rows that are locked when the clock is set back, or are committed late, are seen after that. */
const HEEDS_CLOCK_MS = 60_000

export interface PortionsOptions {
  readonly dispatcherId: string
  readonly lanes: number
  readonly sql: Sql
  readonly pool: pg.Pool
  readonly log: Logger
  /** Told of what the database answers. */
  readonly leaseClock: LeaseClock
  /** The clock of the database has jumped ahead. */
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

  /** How many there are, this one among them. */
  get dispatchers(): number {
    return this.#place.others + 1
  }

  /** The clock of the database was set back a short while ago: what was written before is of the future. */
  get heedsClock(): boolean {
    return performance.now() < this.#heedsClockUntilMs
  }

  /** As if all dispatchers had as many lanes as this one. */
  of(lane: number): Portion {
    const { lanes } = this.#options
    const { before } = this.#place
    return { of: this.dispatchers * lanes, mine: before * lanes + lane }
  }

  /** Never rejects: the next time tells. */
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
