/**
 * Estimates each app's rows in the outbox: the last count, and what this process has written since (docs/quotas.md,
 * "Rows waiting"). A count happens
 *
 *   beside an emit, every 5 s at most             to learn what others write; the emit does not wait
 *   before a refusal, every 100 ms at most        so that nobody is refused for what is gone
 */
import type { Logger } from 'pino'
import { performance } from '../time/clock.ts'
import type { DatabaseCalls } from '../postgres/database-calls.ts'
import { estimateWaiting } from '../sql/quotas/estimate-waiting.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'

const STALE_AFTER_MS = 5_000
const COUNT_AGAIN_MS = 100
/** Apps that are remembered. The least recently used goes first, and is counted anew. */
const MAX_APPS = 10_000

interface OfApp {
  counted: number
  /** Written by this process since the last count began. */
  written: number
}

export interface WaitingRowsOptions {
  readonly sql: Sql
  readonly calls: DatabaseCalls
  readonly log: Logger
}

export class WaitingRows {
  readonly #options: WaitingRowsOptions
  readonly #apps = new Map<string, OfApp>()
  /** One statement counts all apps. The first count is due a while after the first emit. */
  #countedAt = performance.now()
  #counting: Promise<void> | undefined

  constructor(options: WaitingRowsOptions) {
    this.#options = options
  }

  /** The app's rows as known here. Starts a count if the last one is old, without waiting. */
  of(app: string): number {
    if (performance.now() - this.#countedAt > STALE_AFTER_MS) void this.#countBeside()
    const known = this.#apps.get(app)
    return known === undefined ? 0 : known.counted + known.written
  }

  add(app: string, rows: number): void {
    const known = this.#apps.get(app)
    if (known !== undefined) {
      known.written += rows
      return
    }
    this.#apps.set(app, { counted: 0, written: rows })
    if (this.#apps.size > MAX_APPS) this.#apps.delete(this.#apps.keys().next().value as string)
  }

  /** Counts on `on`, unless that was done a moment ago. */
  async count(on: Queryable): Promise<void> {
    if (performance.now() - this.#countedAt < COUNT_AGAIN_MS && this.#hasCounted) return
    await this.#count(on)
  }

  #hasCounted = false

  async #count(on: Queryable): Promise<void> {
    // What is written during the count may be in it; here it is taken as missing.
    const before = new Map([...this.#apps].map(([app, { written }]) => [app, written]))
    this.#countedAt = performance.now()
    const rows = await this.#options.sql.run(on, estimateWaiting, [])
    this.#hasCounted = true
    const counts = new Map(rows.map((row) => [row.app_id, row.rows]))
    for (const [app, known] of this.#apps) {
      known.written -= Math.min(known.written, before.get(app) ?? 0)
      known.counted = counts.get(app) ?? 0
      counts.delete(app)
    }
    for (const [app, counted] of counts) {
      if (this.#apps.size >= MAX_APPS) break
      this.#apps.set(app, { counted, written: 0 })
    }
  }

  #countBeside(): Promise<void> {
    const { calls, log } = this.#options
    this.#countedAt = performance.now()
    return (this.#counting ??= calls
      .borrow((client) => calls.during('reading', client, () => this.#count(client)))
      // Postgres is away, or the bus stops: the next emit begins another count.
      .catch((error: unknown) => log.debug({ err: error }, 'rows in the outbox were not counted'))
      .finally(() => (this.#counting = undefined)))
  }
}
