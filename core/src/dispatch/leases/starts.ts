/**
 * Where a look at the outbox from its start begins. While some transaction pins the xmin horizon, the entries of all rows that were
 * deleted stay in the index, and a look from the very start walks over them (G13). So each index gets a mark, below which
 * no row can appear any more:
 *
 *   list who writes, and the clock ──all of them have ended──▶ the mark is the first row that is there now, or that clock
 *
 * Whatever is written gets a due time that is not before the clock of its writing. Marks are only kept while a look from the very
 * start is slow. The very start is looked at all the same, for a few thousandths of the time: for rows that another program wrote
 * with a due time of the past.
 */
import type { Logger } from 'pino'
import { clearTimeout, performance, setTimeout } from '../../time/clock.ts'
import type { Froms } from '../../sql/claim/find-starts.ts'
import type { SingleMarks } from '../../sql/claim/find-single-starts.ts'
import { findStarts } from '../../sql/claim/find-starts.ts'
import { listWriters } from '../../sql/claim/list-writers.ts'
import type { Statement } from '../../contract/statement.ts'
import { ClockWatch } from '../../time/clock-watch.ts'
import type { Latest } from '../../time/lease-clock.ts'
import { SingleStarts } from './single-starts.ts'

/** A look from the very start that takes the server no longer needs no marks. */
const QUICK_MS = 0.3
/** How often marks are moved. What is deleted in this time is walked over. */
const MOVED_EVERY_MS = 200
const VERY_START_SHARE = 0.003
/** How soon the very start is looked at again where that was quick. */
const QUICK_AGAIN_AFTER_MS = 800
/** So far below the clock a mark stays at least: a clock that is corrected goes back a little. */
const MARGIN_S = 0.3

const VERY_START: Froms = [-Infinity, -Infinity, -Infinity, -Infinity, -Infinity, -Infinity]

interface Writers {
  readonly clockS: number
  readonly lastId: number
  readonly names: ReadonlySet<string>
}

export interface StartsOptions {
  /** Asks in a transaction of its own, which is planned as a claim is. */
  run<P extends readonly unknown[], Row>(stated: Statement<P, Row>, parameters: P): Promise<Row[]>
  readonly log: Logger
  readonly leaseClock: Latest
}

export class Starts {
  readonly #options: StartsOptions
  #froms: Froms = VERY_START
  #orderedFrom = 0
  readonly #singles: SingleStarts
  #marked = false
  #moving = false
  #stopped = false
  /** Grows whenever marks are forgotten, so that an answer from before says nothing. */
  #generation = 0
  #waitingFor: Writers | undefined
  readonly #clock = new ClockWatch()
  #veryStartAtMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: StartsOptions) {
    this.#options = options
    this.#singles = new SingleStarts(options)
  }

  /** Where rows of batches begin, by level, lowest first, in seconds since 1970. */
  get levels(): readonly [low: number, normal: number, high: number] {
    const [low, normal, high] = this.#froms
    return [low, normal, high]
  }

  /** Where interrupted rows begin. */
  get alone(): number {
    return this.#froms[3]
  }

  /** Where requests begin that somebody waits for, and those that were submitted. */
  get requests(): readonly [awaited: number, submitted: number] {
    const [, , , , awaited, submitted] = this.#froms
    return [awaited, submitted]
  }

  /** The id below which there is no row of an ordered trigger. Undefined: there may be any. */
  get ordered(): number | undefined {
    return this.#marked && this.#orderedFrom > 0 ? this.#orderedFrom : undefined
  }

  /** Of rows that are taken one by one. Undefined: they are looked for from the very start. */
  get singles(): SingleMarks | undefined {
    return this.#singles.marks
  }

  /** After a connection was lost: another server may answer, or another database. */
  forget(): void {
    this.#generation++
    this.#singles.forget()
    this.#waitingFor = undefined
    this.#clock.forget()
    this.#forgetRows()
  }

  /** Those of rows that are not taken one by one. */
  #forgetRows(): void {
    this.#froms = VERY_START
    this.#orderedFrom = 0
    this.#marked = false
    this.#veryStartAtMs = 0
  }

  /** Called every second; while there are marks they are moved more often than that. Never rejects. */
  async refresh(): Promise<void> {
    if (this.#moving) return
    this.#moving = true
    try {
      await this.#refresh(this.#generation)
    } catch (error) {
      this.#options.log.debug({ err: error }, 'the start of the outbox was not looked for')
      // Whoever does not answer may be gone, and another server may answer next.
      this.forget()
    } finally {
      this.#moving = false
      clearTimeout(this.#timer)
      if (this.#isMarked && !this.#stopped) this.#timer = setTimeout(() => void this.refresh(), MOVED_EVERY_MS).unref()
    }
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #refresh(generation: number): Promise<void> {
    if (performance.now() >= this.#veryStartAtMs) await this.#lookFromVeryStart(generation)
    await this.#singles.lookFromVeryStart()
    if (generation !== this.#generation) return
    if (this.#isMarked) await this.#move(generation)
    else {
      this.#waitingFor = undefined
      this.#clock.forget()
    }
  }

  get #isMarked(): boolean {
    return this.#marked || this.#singles.isMarked
  }

  async #lookFromVeryStart(generation: number): Promise<void> {
    const [found] = await this.#options.run(findStarts, [...VERY_START, 0])
    if (found === undefined || generation !== this.#generation) return
    if (found.took_ms <= QUICK_MS) {
      this.#forgetRows()
      this.#veryStartAtMs = performance.now() + QUICK_AGAIN_AFTER_MS
      return
    }
    this.#marked = true
    this.#veryStartAtMs = performance.now() + found.took_ms / VERY_START_SHARE
    this.#froms = this.#froms.map((from, i) => Math.min(from, found.firsts[i] ?? from)) as Froms
    this.#orderedFrom = Math.min(this.#orderedFrom, Number(found.ordered_id ?? this.#orderedFrom))
  }

  async #move(generation: number): Promise<void> {
    const { run } = this.#options
    const askedAtMs = performance.now()
    const [row] = await run(listWriters, [])
    if (row === undefined || generation !== this.#generation) return
    if (this.#clock.wasSetBack(row.clock_s, askedAtMs)) return this.forget()
    const now: Writers = { clockS: row.clock_s, lastId: Number(row.last_id), names: new Set(row.writers) }
    // The sequence was restarted: the ids below come again.
    if (now.lastId < this.#orderedFrom - 1 || this.#singles.isBeyond(now.lastId)) return this.forget()
    const before = this.#waitingFor ?? now
    const left = new Set([...before.names].filter((name) => now.names.has(name)))
    if (left.size > 0) {
      this.#waitingFor = { ...before, names: left }
      return
    }
    // All that looked at the clock before then have ended, and a look that begins now sees what they committed.
    if (this.#marked) await this.#moveRows(generation, before)
    await this.#singles.move(before.clockS, before.lastId)
    if (generation === this.#generation) this.#waitingFor = now.names.size > 0 ? now : undefined
  }

  async #moveRows(generation: number, before: Writers): Promise<void> {
    const [found] = await this.#options.run(findStarts, [...this.#froms, this.#orderedFrom])
    if (found === undefined || generation !== this.#generation) return
    const ceiling = before.clockS - MARGIN_S
    this.#froms = this.#froms.map((from, i) => Math.max(from, Math.min(found.firsts[i] ?? ceiling, ceiling))) as Froms
    this.#orderedFrom = Math.min(Number(found.ordered_id ?? before.lastId + 1), before.lastId + 1)
  }
}
