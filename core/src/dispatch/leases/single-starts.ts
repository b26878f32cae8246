/**
 * Where a look at single rows begins: two marks for each trigger, moved like those of `starts.ts`.
 *
 *   due      no row of the trigger that is due before can appear any more
 *   running  no live lease of its rows was set before; so a limit is counted from there
 *
 * A trigger without marks had no rows when the marks were moved. Its later rows have later times and higher ids, by
 * which a take finds the trigger. So no look walks over finished rows, and a trigger that waits for its limit holds
 * back no other's marks.
 */
import { performance } from '../../time/clock.ts'
import type { SingleMarks } from '../../sql/claim/find-single-starts.ts'
import { findFirstSingleStarts, findSingleStarts } from '../../sql/claim/find-single-starts.ts'
import type { Statement } from '../../contract/statement.ts'
import type { Latest } from '../../time/lease-clock.ts'

/** Marks are not needed while the server looks from the very start in this time. */
const QUICK_MS = 0.3
const QUICK_MS_A_TRIGGER = 0.1
const VERY_START_SHARE = 0.003
/** A mark stays this far below the clock, as in `starts.ts`. */
const MARGIN_S = 0.3
/** With more triggers there are no marks: each take would name them all. */
const MOST_TRIGGERS = 500
/** The rounding of times on their way here and back, in seconds. */
const ROUNDED_S = 0.001

interface Froms {
  readonly app: string
  readonly due: number
  readonly running: number
}

export interface SingleStartsOptions {
  readonly leaseClock: Latest
  run<P extends readonly unknown[], Row>(stated: Statement<P, Row>, parameters: P): Promise<Row[]>
}

export class SingleStarts {
  readonly #run: SingleStartsOptions['run']
  readonly #leaseClock: Latest
  /** By trigger id. Undefined without marks. */
  #byTrigger: Map<string, Froms> | undefined
  /** The mark of triggers that are not named; -Infinity until marks have moved once. */
  #otherwise = -Infinity
  #markedAt = -Infinity
  #newerThan = 0
  #veryStartAtMs = 0
  #generation = 0

  constructor({ run, leaseClock }: SingleStartsOptions) {
    this.#run = run
    this.#leaseClock = leaseClock
  }

  get isMarked(): boolean {
    return this.#byTrigger !== undefined
  }

  /** Undefined: a take looks from the very start. */
  get marks(): SingleMarks | undefined {
    if (this.#byTrigger === undefined || this.#otherwise === -Infinity) return undefined
    return [...columnsOf(this.#byTrigger), this.#newerThan, this.#otherwise, this.#markedAt]
  }

  /** Whether `lastId` shows that the sequence was restarted, so that ids come again. */
  isBeyond(lastId: number): boolean {
    return lastId < this.#newerThan
  }

  forget(): void {
    this.#generation++
    this.#byTrigger = undefined
    this.#otherwise = -Infinity
    this.#markedAt = -Infinity
    this.#newerThan = 0
    this.#veryStartAtMs = 0
  }

  /**
   * Finds the triggers with rows, and whether marks are needed. Looks each second, or less often where that is slow.
   */
  async lookFromVeryStart(): Promise<void> {
    if (performance.now() < this.#veryStartAtMs) return
    const generation = this.#generation
    const found = await this.#run(findFirstSingleStarts, [MOST_TRIGGERS + 1, this.#leaseClock.latestS])
    if (generation !== this.#generation) return
    const tookMs = found[0]?.took_ms ?? 0
    const byTrigger = new Map<string, Froms>()
    for (const { app_id, trigger_id, due_s, running_s } of found) {
      if (app_id === null || trigger_id === null) continue
      const { due, running } = this.#byTrigger?.get(trigger_id) ?? { due: this.#otherwise, running: this.#otherwise }
      byTrigger.set(trigger_id, {
        app: app_id,
        due: Math.min(due, due_s ?? due),
        running: Math.min(running, running_s === null ? running : running_s - ROUNDED_S),
      })
    }
    if (tookMs <= QUICK_MS + QUICK_MS_A_TRIGGER * byTrigger.size || byTrigger.size > MOST_TRIGGERS) this.forget()
    else this.#byTrigger = byTrigger
    this.#veryStartAtMs = performance.now() + tookMs / VERY_START_SHARE
  }

  /**
   * Called when all have ended who wrote while the clock was `clockS` and no id higher than `lastId`. What becomes
   * visible later has a later time and a higher id.
   */
  async move(clockS: number, lastId: number): Promise<void> {
    if (this.#byTrigger === undefined) return
    const generation = this.#generation
    const before = this.#byTrigger
    const found = await this.#run(findSingleStarts, [
      ...columnsOf(before),
      this.#newerThan,
      this.#otherwise,
      this.#leaseClock.latestS,
    ])
    if (generation !== this.#generation || this.#byTrigger !== before) return
    const ceiling = clockS - MARGIN_S
    const byTrigger = new Map<string, Froms>()
    for (const { app_id, trigger_id, due_s, running_s } of found) {
      const { due, running } = before.get(trigger_id) ?? { due: this.#otherwise, running: this.#otherwise }
      byTrigger.set(trigger_id, {
        app: app_id,
        due: Math.max(due, markOf(due_s, ceiling)),
        running: Math.max(running, markOf(running_s, ceiling)),
      })
    }
    if (byTrigger.size > MOST_TRIGGERS) {
      this.forget()
      this.#veryStartAtMs = performance.now() + 60_000
      return
    }
    this.#byTrigger = byTrigger
    this.#otherwise = Math.max(this.#otherwise, ceiling)
    this.#markedAt = Math.max(this.#markedAt, clockS)
    this.#newerThan = Math.max(this.#newerThan, lastId)
  }
}

function markOf(firstS: number | null, ceiling: number): number {
  return firstS === null ? ceiling : Math.min(firstS - ROUNDED_S, ceiling)
}

function columnsOf(byTrigger: ReadonlyMap<string, Froms>) {
  const froms = [...byTrigger.values()]
  return [
    froms.map(({ app }) => app),
    [...byTrigger.keys()],
    froms.map(({ due }) => due),
    froms.map(({ running }) => running),
  ] as const
}
