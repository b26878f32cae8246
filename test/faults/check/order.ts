/** Ordered triggers: per ordering key one after another, in the order of commit. */
import type { HistoryRecord } from '../history/records.ts'
import type { Book, Execution } from './book.ts'
import { show } from './book.ts'
import type { Report } from './rules.ts'
import type { Windows } from './windows.ts'

const ORDERED = 'ordered'
const CLAIMED_BEFORE_MS = 500

interface Line {
  /** The latest of those that have begun. */
  seq: number
  readonly open: Set<Execution>
}

export class Order {
  readonly #lines = new Map<string, Line>()
  readonly #book: Book
  readonly #windows: Windows
  readonly #report: Report

  constructor(book: Book, windows: Windows, report: Report) {
    this.#book = book
    this.#windows = windows
    this.#report = report
  }

  /** It is called once what the record began is in the book. */
  add(record: HistoryRecord): void {
    // What had run runs again.
    if (record.kind === 'rewound') this.#lines.clear()
    if (record.kind !== 'begin' || record.trigger !== ORDERED) return
    const execution = this.#book.runningIn(record.life).get(record.run)
    const line = execution?.delivery.operation.line
    if (execution === undefined || line === undefined) return
    const { at, life } = record
    let known = this.#lines.get(line.key)
    if (known === undefined) this.#lines.set(line.key, (known = { seq: 0, open: new Set() }))
    for (const other of known.open) {
      // What was hurt has been given to somebody else, whatever it still does.
      if (other.end !== undefined || this.#windows.hurt(other.life, other.begin - CLAIMED_BEFORE_MS, at))
        known.open.delete(other)
      else this.#report('overlap', at, `key ${line.key}: ${show(execution.delivery)}; beside ${show(other.delivery)}`)
    }
    known.open.add(execution)
    if (line.seq < known.seq && !this.#windows.hurt(life, at - CLAIMED_BEFORE_MS, at))
      this.#report(
        'inversion',
        at,
        `key ${line.key}: number ${line.seq} after ${known.seq}: ${show(execution.delivery)}`,
      )
    known.seq = Math.max(known.seq, line.seq)
  }
}
