/**
 * Removes what is kept for a limited time, such as dead letters, abandoned executions, history and audit. It is a
 * pg-boss job, run once over all processes whenever its time has come.
 */
import type pg from 'pg'
import type { PgBoss } from 'pg-boss'
import type { Logger } from 'pino'
import { clearTimeout, setTimeout } from '../time/clock.ts'
import { aborted } from '../time/pause.ts'
import { deleteOldAbandoned } from '../sql/retention/delete-old-abandoned.ts'
import { deleteOldDeadLetters } from '../sql/retention/delete-old-dead-letters.ts'
import { deleteOldSetAside } from '../sql/set-aside/delete-old-set-aside.ts'
import { deleteOldTriggerChanges } from '../sql/retention/delete-old-trigger-changes.ts'
import { deleteUnusedLimits } from '../sql/retention/delete-unused-limits.ts'
import type { KeptByDay } from '../sql/history/days.ts'
import { addDays, dropDays } from '../sql/history/days.ts'
import { deleteOldRootRows } from '../sql/quotas/root-rows.ts'
import { SQL_STATE, sqlStateOf } from '../postgres/postgres-errors.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Timekeeper } from './timekeeper.ts'

/** Days; null keeps for ever. */
export interface RetentionSettings {
  readonly cron: string
  readonly resolvedDeadLettersDays: number | null
  readonly deadLettersDays: number | null
  readonly abandonedDays: number | null
  readonly historyDays: number | null
  readonly auditDays: number | null
}

/** What one run removed: rows, and whole days of the history and the audit. */
export interface Removed {
  readonly deadLetters: number
  readonly abandoned: number
  readonly historyDays: number
  readonly auditDays: number
}

/** Stands in databases, under the name of `bus.upkeep()`. */
const QUEUE = 'outbus_upkeep'
const AT_A_TIME = 5_000
/** A short-lived process does not install pg-boss. */
const BEGIN_AFTER_MS = 5_000
const TRY_AGAIN_MS = 60_000
/** How soon a schedule that a restore has removed is there again. */
const SCHEDULE_AGAIN_MS = 600_000

export class Retention {
  readonly #sql: Sql
  readonly #pool: pg.Pool
  readonly #timekeeper: Timekeeper
  readonly #log: Logger
  readonly #retention: RetentionSettings | false
  #timer: NodeJS.Timeout | undefined
  #beginning: Promise<void> | undefined
  #stopped = false
  #works = false

  constructor(sql: Sql, pool: pg.Pool, timekeeper: Timekeeper, log: Logger, retention: RetentionSettings | false) {
    this.#sql = sql
    this.#pool = pool
    this.#timekeeper = timekeeper
    this.#log = log
    this.#retention = retention
  }

  start(): void {
    const retention = this.#retention
    if (retention !== false) this.#beginAfter(BEGIN_AFTER_MS, retention)
  }

  /** Waits until `over` aborts for a schedule in the making. */
  async stop(over: AbortSignal): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    if (this.#beginning !== undefined) await Promise.race([this.#beginning, aborted(over)])
  }

  async run(): Promise<Removed> {
    const retention = this.#retention
    if (retention === false) return { deadLetters: 0, abandoned: 0, historyDays: 0, auditDays: 0 }
    const { resolvedDeadLettersDays, deadLettersDays, abandonedDays } = retention
    const sql = this.#sql
    const pool = this.#pool
    const deadLetters = await inPortions(() =>
      sql.run(pool, deleteOldDeadLetters, [resolvedDeadLettersDays, deadLettersDays, AT_A_TIME]),
    )
    const abandoned =
      abandonedDays === null ? 0 : await inPortions(() => sql.run(pool, deleteOldAbandoned, [abandonedDays, AT_A_TIME]))
    const historyDays = await this.#keepDays('attempts', retention.historyDays)
    const auditDays = await this.#keepDays('audit', retention.auditDays)
    if (abandonedDays !== null) await inPortions(() => sql.run(pool, deleteOldSetAside, [abandonedDays, AT_A_TIME]))
    await sql.run(pool, deleteUnusedLimits, [])
    await inPortions(() => sql.run(pool, deleteOldTriggerChanges, [AT_A_TIME]))
    await inPortions(() => sql.run(pool, deleteOldRootRows, [AT_A_TIME]))
    return { deadLetters, abandoned, historyDays, auditDays }
  }

  /** Adds days around today, and drops older ones. Answers with how many it dropped. */
  async #keepDays(kept: KeptByDay, days: number | null): Promise<number> {
    try {
      await this.#sql.run(this.#pool, addDays, [kept])
      const [row] = days === null ? [] : await this.#sql.run(this.#pool, dropDays, [kept, days])
      return row?.dropped ?? 0
    } catch (error) {
      // Somebody holds the table, and the next run does it. Meanwhile the audit has a table for rows without a day, and
      // the history adds the day.
      if (sqlStateOf(error) !== SQL_STATE.lockNotAvailable) throw error
      this.#log.debug({ err: error, kept }, 'days were neither made nor dropped')
      return 0
    }
  }

  #beginAfter(ms: number, retention: RetentionSettings): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#beginning = this.#begin(retention)
    }, ms)
    this.#timer.unref()
  }

  async #begin(retention: RetentionSettings): Promise<void> {
    try {
      const boss = await this.#timekeeper.boss()
      await boss.createQueue(QUEUE, { policy: 'singleton', retryLimit: 0, deleteAfterSeconds: 3_600 })
      await boss.schedule(QUEUE, retention.cron, null, { missed: 'once' })
      if (!this.#works) await this.#work(boss)
      this.#beginAfter(SCHEDULE_AGAIN_MS, retention)
    } catch (error) {
      // The bus works without retention, and another process may have the rights that this one lacks.
      this.#log.warn({ err: error }, 'retention could not be scheduled: nothing is removed until it is')
      this.#beginAfter(TRY_AGAIN_MS, retention)
    }
  }

  async #work(boss: PgBoss): Promise<void> {
    await boss.work(QUEUE, { pollingIntervalSeconds: 10 }, async () => {
      const removed = await this.run()
      this.#log.info(removed, 'what was kept long enough was removed')
    })
    this.#works = true
  }
}

async function inPortions(some: () => Promise<{ readonly deleted: number }[]>): Promise<number> {
  let total = 0
  for (;;) {
    const [portion] = await some()
    const deleted = portion?.deleted ?? 0
    total += deleted
    if (deleted < AT_A_TIME) return total
  }
}
