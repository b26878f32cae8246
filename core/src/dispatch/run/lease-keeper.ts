/**
 * The leased deliveries of this process. One statement extends all leases. A delivery settles only while its token is
 * on the row.
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
  /** Undefined if `token` is not on the row any more. Tried again when it throws. */
  settle(run: Run, token: string, result: Result): Promise<Outcome | undefined>
  /** Called after the commit. */
  onSettled(run: Run, outcome: Outcome): void
}

/** The pause between tries while Postgres does not answer. */
const SETTLE_RETRY_MS = 250

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions
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

  /** Called after the commit that put the row under `token`. */
  hold(run: Run, token: string): void {
    const { deliveryId } = run.delivery
    const before = this.#held.get(deliveryId)
    // This process took the row over itself, or lost commits gave its id to another delivery.
    if (before !== undefined && !before.run.delivery.completing) this.#lose(deliveryId, before.run)
    this.#held.set(deliveryId, { run, token })
    const settled = run.ended.then((result) => this.#settle(deliveryId, { run, token }, result))
    this.#settling.add(settled)
    void settled.finally(() => this.#settling.delete(settled))
  }

  /** Holds a run whose lease is short, and extends the lease at once. */
  async holdExtended(run: Run, token: string): Promise<void> {
    this.hold(run, token)
    await this.extend()
  }

  /** Resolves when all held deliveries are settled. */
  async drained(): Promise<void> {
    while (this.#settling.size > 0) await Promise.all(this.#settling)
  }

  /** Ends every run with `result`; each is settled like any other. */
  giveUp(result: Result, reason: unknown): void {
    for (const { run } of this.#held.values()) run.giveUp(result, reason)
  }

  /** What is not settled by now is left to its lease. */
  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
  }

  *#runs(): Generator<Run> {
    for (const { run } of this.#held.values()) yield run
  }

  /** Called every third of a lease, and at once when the database's clock has jumped ahead. Never rejects. */
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
      // The next call tries again. A lease that runs out meanwhile is found lost then.
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
        // This process may have taken the delivery over itself.
        if (this.#held.get(id)?.token === held.token) this.#held.delete(id)
        if (outcome !== undefined) onSettled(held.run, outcome)
        else
          held.run.delivery.log.warn('the lease was taken over before the delivery ended; its result changes nothing')
        return
      } catch (error) {
        // Postgres is away. The result is kept.
        log.warn({ err: error, deliveryId: id }, 'a delivery could not be settled yet')
        if (this.#stopped) return
        await new Promise((resolve) => setTimeout(resolve, SETTLE_RETRY_MS))
      }
    }
  }
}
