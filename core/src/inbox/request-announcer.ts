/** Announces a request to an idle lane of this process, or else by NOTIFY. */
import type pg from 'pg'
import type { Logger } from 'pino'
import type { WakeUp } from '../wake/wake-up.ts'
import { Grouping } from '../outbox/grouping.ts'
import { notify } from '../sql/requests/notify.ts'
import type { Sql } from '../postgres/statement.ts'

export interface RequestAnnouncerOptions {
  readonly sql: Sql
  readonly pool: pg.Pool
  readonly channel: string
  readonly local: WakeUp
  readonly log: Logger
}

export class RequestAnnouncer {
  readonly #local: WakeUp
  readonly #log: Logger
  readonly #notified: Grouping<void, void>

  constructor({ sql, pool, channel, local, log }: RequestAnnouncerOptions) {
    this.#local = local
    this.#log = log
    this.#notified = new Grouping(async (callers) => {
      // One NOTIFY serves all requests written meanwhile, and stays outside their commits.
      await sql.run(pool, notify, [channel, ''])
      return callers
    }, Number.POSITIVE_INFINITY)
  }

  /** Called after the commit. Not awaited: lanes also poll (G12). */
  announce(): void {
    if (this.#local.waiting > 0) return this.#local.one()
    this.#notified.add().catch((error: unknown) => {
      this.#log.debug({ err: error }, 'dispatchers were not told of a request')
    })
  }
}
