/**
 * Where looks from the start of the outbox begin: at a mark while a transaction pins the xmin horizon (G13;
 * docs/claim-protocol.md, "Where the start is").
 *
 *   list who writes, and the clock ──all of them have ended──▶ the mark is the first visible row, or that clock
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

/** Marks are not needed while the server looks from the very start in this time. */
const QUICK_MS = 0.3
/** How often marks are moved. A look walks over what was deleted since. */
const MOVED_EVERY_MS = 200
const VERY_START_SHARE = 0.003
/** When the very start is looked at again after a quick look. */
const QUICK_AGAIN_AFTER_MS = 800
/** A mark stays this far below the clock, which may be corrected a little. */
const MARGIN_S = 0.3

const VERY_START: Froms = [-Infinity, -Infinity, -Infinity, -Infinity, -Infinity, -Infinity]

interface Writers {
  readonly clockS: number
  readonly lastId: number
  readonly names: ReadonlySet<string>
}

export interface StartsOptions {
  /** Asks in its own transaction, planned as a claim is. */
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
  /** Grows when marks are forgotten: older answers say nothing. */
  #generation = 0
  #waitingFor: Writers | undefined
  readonly #clock = new ClockWatch()
  #veryStartAtMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: StartsOptions) {
    this.#options = options
    this.#singles = new SingleStarts(options)
  }

  /** By level, lowest first, in seconds since 1970. */
  get levels(): readonly [low: number, normal: number, high: number] {
    const [low, normal, high] = this.#froms
    return [low, normal, high]
  }

  /** In seconds since 1970. */
  get alone(): number {
    return this.#froms[3]
  }

  /** In seconds since 1970; `awaited` for requests whose callers wait. */
  get requests(): readonly [awaited: number, submitted: number] {
    const [, , , , awaited, submitted] = this.#froms
    return [awaited, submitted]
  }

  /** No row of an ordered trigger has a lower id than this. Undefined: there may be any. */
  get ordered(): number | undefined {
    return this.#marked && this.#orderedFrom > 0 ? this.#orderedFrom : undefined
  }

  get singles(): SingleMarks | undefined {
    return this.#singles.marks
  }

  /** Called after a lost connection: another server or database may answer next. */
  forget(): void {
    this.#generation++
    this.#singles.forget()
    this.#waitingFor = undefined
    this.#clock.forget()
    this.#forgetRows()
  }

  /** Forgets all marks but those of single rows. */
  #forgetRows(): void {
    this.#froms = VERY_START
    this.#orderedFrom = 0
    this.#marked = false
    this.#veryStartAtMs = 0
  }

  /** Called every second, and by itself more often while there are marks. Never rejects. */
  async refresh(): Promise<void> {
    if (this.#moving) return
    this.#moving = true
    try {
      await this.#refresh(this.#generation)
    } catch (error) {
      this.#options.log.debug({ err: error }, 'the start of the outbox was not looked for')
      // The next answer may come from another server.
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
    // The sequence was restarted, so lower ids come again.
    if (now.lastId < this.#orderedFrom - 1 || this.#singles.isBeyond(now.lastId)) return this.forget()
    const before = this.#waitingFor ?? now
    const left = new Set([...before.names].filter((name) => now.names.has(name)))
    if (left.size > 0) {
      this.#waitingFor = { ...before, names: left }
      return
    }
    // All writers that read an earlier clock have ended, so a look sees what they committed.
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
