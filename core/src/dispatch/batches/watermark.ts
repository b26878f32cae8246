/**
 * Where a lane's next scan of each priority level begins. Without a watermark, a scan walks over the entries of all
 * rows that were deleted since the oldest open snapshot. Rows that were locked, came back or were committed late may
 * lie below. So the watermark is dropped regularly, and less often while full scans are slow.
 */
import { PRIORITIES } from '../../validation/priority.ts'

const FROM_THE_START = -Infinity
/** About how long a row below the watermark waits. */
const RESET_EVERY_MS = 25
/** The share of the time for scans from the start. */
const RESET_SHARE = 0.05

export class Watermark {
  readonly #start: () => readonly number[]
  #levels: number[] = PRIORITIES.map(() => FROM_THE_START)
  #resetAt = 0
  #scanMs = 0
  /** How much longer the last scan from the start took than the others. */
  #excessMs = 0

  readonly #rises: boolean

  /**
   * `start`: where a full scan of each level begins, in seconds since 1970. Default: the very start. Without `rises`,
   * all scans are full.
   */
  constructor(start: () => readonly number[] = () => [], rises = true) {
    this.#start = start
    this.#rises = rises
  }

  /** By level, lowest first, in seconds since 1970. `full`: all levels begin at the start. */
  next(nowMs: number): { levels: readonly number[]; full: boolean } {
    if (nowMs - this.#resetAt >= RESET_EVERY_MS && this.fullInMs(nowMs) === 0) this.reset(nowMs)
    const start = this.#start()
    return {
      levels: this.#levels.map((level, i) => Math.max(level, start[i] ?? FROM_THE_START)),
      full: !this.isSet,
    }
  }

  /** How long the next full scan has to wait, so that full scans keep to their share. */
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
   * Called for each claimed row. `dueAt` is in seconds since 1970, by the database's clock; a double is exact to the
   * microsecond until 2242.
   */
  claimed(level: number, dueAt: number): void {
    if (this.#rises && dueAt > (this.#levels[level] ?? dueAt)) this.#levels[level] = dueAt
  }
}
