/**
 * Judges each emit by the trigger that comes and goes (G2): in which process it began, how long after the last change
 * was committed, and whether it went by that change. The triggers that are always there are judged by their rows.
 *
 *   changing ──committed, and heard of──▶ there, or gone ──▶ changing …
 *      ▲ lost with a server: what was heard of before the copy was made stays
 */
import type { HistoryRecord } from '../history/records.ts'
import type { Operation } from './book.ts'

/** Every trigger of the database is honoured within it by every process. */
const HONOURED_WITHIN_MS = 1_000

export interface HonouredFigures {
  /** Emits that were judged by a change. */
  readonly judged: number
  /** Those of them that began more than a second after it. */
  readonly judgedAfterASecond: number
  /** How soon after a change the first of them began, in ms; undefined where there is none. */
  readonly soonestMs: number | undefined
  /** How long after a change an emit began that still went by what was before it, in ms. 0: all went by it. */
  readonly greatestDelayMs: number
  /** Emits that went by what was before a change that was more than a second old. */
  readonly overASecond: number
  /** How many were judged in each process. */
  readonly byProcess: Readonly<Record<string, number>>
  /** The same of what came after commits were lost, since the last such loss; undefined where none were lost. */
  readonly byProcessAfterLoss: Readonly<Record<string, number>> | undefined
}

interface Present {
  readonly state: 'changing' | 'there' | 'gone'
  readonly at: number
}

/** How it is before anybody has made it. */
const NEVER_MADE: Present = { state: 'gone', at: 0 }

export class Honoured {
  readonly #byApp = new Map<string, Present>()
  readonly #byProcess = new Map<string, number>()
  #byProcessAfterLoss: Map<string, number> | undefined
  #judged = 0
  #judgedAfterASecond = 0
  #soonestMs: number | undefined
  #greatestDelayMs = 0
  #overASecond = 0

  add(record: HistoryRecord): void {
    if (record.kind === 'trigger') this.#byApp.set(record.app, { state: record.state, at: record.at })
    if (record.kind === 'rewound') this.#rewound(record)
  }

  /** How many rows the emit had to make for the trigger, and since when; undefined where that was changed meanwhile. */
  expected({ app, at }: Operation): { readonly rows: 0 | 1; readonly since: number } | undefined {
    const present = this.#byApp.get(app) ?? NEVER_MADE
    if (present.state === 'changing' || present.at > at) return undefined
    return { rows: present.state === 'there' ? 1 : 0, since: present.at }
  }

  /** The emit was judged: it went by the change of `since`, or not. */
  judged({ life, at }: Operation, { since, honoured }: { readonly since: number; readonly honoured: boolean }): void {
    const afterMs = at - since
    this.#judged++
    this.#soonestMs = Math.min(this.#soonestMs ?? Infinity, afterMs)
    if (afterMs > HONOURED_WITHIN_MS) this.#judgedAfterASecond++
    for (const counts of [this.#byProcess, this.#byProcessAfterLoss]) {
      const [process = life] = life.split('#')
      counts?.set(process, (counts.get(process) ?? 0) + 1)
    }
    if (honoured) return
    this.#greatestDelayMs = Math.max(this.#greatestDelayMs, afterMs)
    if (afterMs > HONOURED_WITHIN_MS) this.#overASecond++
  }

  get figures(): HonouredFigures {
    return {
      judged: this.#judged,
      judgedAfterASecond: this.#judgedAfterASecond,
      soonestMs: this.#soonestMs,
      greatestDelayMs: this.#greatestDelayMs,
      overASecond: this.#overASecond,
      byProcess: sorted(this.#byProcess),
      byProcessAfterLoss: this.#byProcessAfterLoss && sorted(this.#byProcessAfterLoss),
    }
  }

  /** A change that was heard of before `since` is in the server that there is now; of a later one nobody knows. */
  #rewound({ since, at }: Extract<HistoryRecord, { kind: 'rewound' }>): void {
    this.#byProcessAfterLoss = new Map()
    for (const [app, present] of this.#byApp) if (present.at >= since) this.#byApp.set(app, { state: 'changing', at })
  }
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].toSorted(([a], [b]) => a.localeCompare(b)))
}
