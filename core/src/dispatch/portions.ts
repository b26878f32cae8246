/**
 * Which portion of a backlog each lane claims, among the lanes of all dispatchers: so that it does not look at what the others have
 * locked, row by row. A hint like NOTIFY: whoever is missing, or is not there any more, costs only time.
 */
import type pg from 'pg'
import type { Logger } from 'pino'
import { findPlace } from '../sql/find-place.ts'
import type { Sql } from '../sql/statement.ts'

/** Rows whose block of ids, counted modulo `of`, is `mine`. */
export interface Portion {
  readonly of: number
  readonly mine: number
}

export const WHOLE: Portion = { of: 1, mine: 0 }

export interface PortionsOptions {
  readonly dispatcherId: string
  readonly lanes: number
  readonly sql: Sql
  readonly pool: pg.Pool
  readonly log: Logger
}

export class Portions {
  readonly #options: PortionsOptions
  #place = { others: 0, before: 0 }

  constructor(options: PortionsOptions) {
    this.#options = options
  }

  /** How many there are, this one among them. */
  get dispatchers(): number {
    return this.#place.others + 1
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
      const [place] = await sql.run(pool, findPlace, [dispatcherId])
      if (place !== undefined) this.#place = place
    } catch (error) {
      log.debug({ err: error }, 'the other dispatchers were not counted')
    }
  }
}
