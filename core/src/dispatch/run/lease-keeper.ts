/**
 * Deliveries of this process that outlived their claim transaction. Each sits in the outbox under a lease, due when
 * the lease expires; all leases are extended in one statement. A delivery settles only while its token is still on
 * the row: when it is not, somebody took it over, and the late result changes nothing.
 *
 *   held ──handler ends──▶ settling ──token still there──▶ settled
 *    │                        └───────token gone─────────▶ lost
 *    └──lease found taken over──▶ lost (the handler's signal aborts)
 */
import type { Logger } from 'pino'
import type pg from 'pg'
import { clearInterval, setInterval, setTimeout } from '../../time/clock.ts'
import { extendLeases } from '../../sql/settle/extend-leases.ts'
import type { Sql } from '../../postgres/statement.ts'
import type { Result } from './attempt.ts'
import type { Outcome } from '../../contract/outcome.ts'
import type { Run } from './run.ts'

interface Held {
  readonly run: Run
  readonly token: string
}

export interface LeaseKeeperOptions {
  readonly sql: Sql
  readonly pool: pg.Pool
  readonly leaseMs: number
  readonly log: Logger
  /** Writes what came of it, if `token` is still on its row; undefined when it is not. Tried again when it throws. */
  settle(run: Run, token: string, result: Result): Promise<Outcome | undefined>
  /** After the commit that settled it. */
  onSettled(run: Run, outcome: Outcome): void
}

/** Between tries to settle while Postgres does not answer. */
const SETTLE_RETRY_MS = 250

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions
  /** What is held, as it is when it is looked at. */
  readonly runs: Iterable<Run> = { [Symbol.iterator]: () => this.#runs() }
  readonly #held = new Map<string, Held>()
  readonly #settling = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  #stopped = false

  constructor(options: LeaseKeeperOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.extend(), options.leaseMs / 3)
    this.#timer.unref()
  }

  get size(): number {
    return this.#held.size
  }

  /** From the commit that put its row under `token`. */
  hold(run: Run, token: string): void {
    const { deliveryId } = run.delivery
    const before = this.#held.get(deliveryId)
    // Taken over by this very process; or lost commits have given the id to another delivery.
    if (before !== undefined && !before.run.delivery.completing) this.#lose(deliveryId, before.run)
    this.#held.set(deliveryId, { run, token })
    const settled = run.ended.then((result) => this.#settle(deliveryId, { run, token }, result))
    this.#settling.add(settled)
    void settled.finally(() => this.#settling.delete(settled))
  }

  /** The same for a row whose lease is a short one and needs extending at once. */
  async holdExtended(run: Run, token: string): Promise<void> {
    this.hold(run, token)
    await this.extend()
  }

  /** Resolves when all that is held has been settled. */
  async drained(): Promise<void> {
    while (this.#settling.size > 0) await Promise.all(this.#settling)
  }

  /** Ends every run with `result`; each is settled like any other. */
  giveUp(result: Result, reason: unknown): void {
    for (const { run } of this.#held.values()) run.giveUp(result, reason)
  }

  /** Stops extending. What could not be settled by now is left to its lease. */
  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
  }

  *#runs(): Generator<Run> {
    for (const { run } of this.#held.values()) yield run
  }

  /** Also before its time, where the clock of the database has jumped ahead. Never rejects. */
  async extend(): Promise<void> {
    const held = [...this.#held]
    if (held.length === 0) return
    const { sql, pool, leaseMs, log } = this.#options
    try {
      const ids = held.map(([id]) => id)
      const rows = await sql.run(pool, extendLeases, [ids, held.map(([, { token }]) => token), leaseMs])
      const extended = new Set(rows.map((row) => row.id))
      for (const [id, { run, token }] of held) {
        if (run.delivery.completing) continue
        if (!extended.has(id) && this.#held.get(id)?.token === token) this.#lose(id, run)
      }
    } catch (error) {
      // The next turn tries again; a lease that runs out meanwhile is found lost then, and settling is fenced anyway.
      log.warn({ err: error, leases: held.length }, 'leases could not be extended')
    }
  }

  #lose(id: string, run: Run): void {
    this.#held.delete(id)
    run.delivery.log.warn('the lease was taken over; what the handler still does changes nothing')
    run.delivery.abort(new Error('the lease of this delivery was taken over'))
  }

  async #settle(id: string, held: Held, result: Result): Promise<void> {
    const { settle, onSettled, log } = this.#options
    while (this.#held.get(id)?.token === held.token) {
      try {
        const outcome = await settle(held.run, held.token, result)
        // It may be held again meanwhile: taken over, by this very process.
        if (this.#held.get(id)?.token === held.token) this.#held.delete(id)
        if (outcome !== undefined) onSettled(held.run, outcome)
        else
          held.run.delivery.log.warn('the lease was taken over before the delivery ended; its result changes nothing')
        return
      } catch (error) {
        // Postgres is away. The result is kept and tried again; nothing else in this process depends on it.
        log.warn({ err: error, deliveryId: id }, 'a delivery could not be settled yet')
        if (this.#stopped) return
        await new Promise((resolve) => setTimeout(resolve, SETTLE_RETRY_MS))
      }
    }
  }
}
