/**
 * Where a lane's next scan of each priority level begins: nothing that it saw is below, except what others had
 * locked, what came back and what was committed late. Without it a scan walks over the index entries of rows that were
 * deleted since the oldest open snapshot (DESIGN §5.7); so it is dropped regularly, and the less often the longer
 * such a full scan takes. A full scan begins where `Starts` says that the start is.
 */
import { PRIORITIES } from '../../validation/priority.ts'

const FROM_THE_START = -Infinity
/** A row that is committed late, or given back by a dead lane, waits no longer than about this. */
const RESET_EVERY_MS = 25
/** At most this share of the time goes into scans from the start. */
const RESET_SHARE = 0.05

export class Watermark {
  readonly #start: () => readonly number[]
  #levels: number[] = PRIORITIES.map(() => FROM_THE_START)
  #resetAt = 0
  #scanMs = 0
  /** How much longer than another one the last scan from the start took. */
  #excessMs = 0

  /** `start`: where a full scan of each level begins, in seconds since 1970. Default: at the very start. */
  constructor(start: () => readonly number[] = () => []) {
    this.#start = start
  }

  /** By level, lowest first, in seconds since 1970. `full` when all begin at the start. */
  next(nowMs: number): { levels: readonly number[]; full: boolean } {
    if (nowMs - this.#resetAt >= RESET_EVERY_MS && this.fullInMs(nowMs) === 0) this.reset(nowMs)
    const start = this.#start()
    return {
      levels: this.#levels.map((level, i) => Math.max(level, start[i] ?? FROM_THE_START)),
      full: !this.isSet,
    }
  }

  /** How long the next full scan has to wait, so that no more than its share of the time goes into such scans. */
  fullInMs(nowMs: number): number {
    return Math.max(0, this.#resetAt + this.#excessMs / RESET_SHARE - nowMs)
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

  /**
   * A row of the level was claimed that was due at `dueAt`. By the database's clock, to the microsecond: a double has room for that
   * until the year 2242.
   */
  claimed(level: number, dueAt: number): void {
    if (dueAt > (this.#levels[level] ?? dueAt)) this.#levels[level] = dueAt
  }
}
