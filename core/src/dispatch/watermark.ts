/**
 * Where a lane's next scan of each priority level begins: nothing that it saw is below, except what others had
 * locked, what came back and what was committed late. Without it a scan walks over the index entries of every row
 * deleted since the oldest open snapshot (DESIGN §5.7); so it is dropped regularly, and the less often the longer
 * such a full scan takes.
 */
import { PRIORITIES } from '../priority.ts'
import type { OutboxRow } from './outbox-row.ts'

const FROM_THE_START = '-infinity'
/** A row that is committed late, or given back by a dead lane, waits no longer than about this. */
const RESET_EVERY_MS = 25
/** At most this share of the time goes into scans from the start. */
const RESET_SHARE = 0.05

export class Watermark {
  #levels = PRIORITIES.map(() => FROM_THE_START)
  #resetAt = 0
  #scanMs = 0
  /** How much longer than another one the last scan from the start took. */
  #excessMs = 0

  /** By level, lowest first. `full` when all begin at the start. */
  next(nowMs: number): { levels: readonly string[]; full: boolean } {
    if (nowMs - this.#resetAt >= Math.max(RESET_EVERY_MS, this.#excessMs / RESET_SHARE)) this.reset(nowMs)
    return { levels: this.#levels, full: this.#levels.every((level) => level === FROM_THE_START) }
  }

  reset(nowMs: number): void {
    this.#levels = PRIORITIES.map(() => FROM_THE_START)
    this.#resetAt = nowMs
  }

  get isSet(): boolean {
    return this.#levels.some((level) => level !== FROM_THE_START)
  }

  scanned(ms: number, full: boolean): void {
    if (full) this.#excessMs = Math.max(0, ms - this.#scanMs)
    else this.#scanMs = ms
  }

  /** Timestamps of one session in UTC and ISO style compare as texts, to the microsecond. */
  claimed(rows: readonly OutboxRow[]): void {
    for (const row of rows) {
      const { priority } = row
      const dueAt = row.must('due_at')
      if (dueAt > (this.#levels[priority] ?? dueAt) || this.#levels[priority] === FROM_THE_START)
        this.#levels[priority] = dueAt
    }
  }
}
