/** Executions at a time, async and sync together, in each life of each process. */
import type { HistoryRecord } from '../history/records.ts'
import type { Book } from './book.ts'
import type { Report, Rules } from './rules.ts'

export class Gate {
  /** The most that any process ran at a time. */
  most = 0
  readonly #book: Book
  readonly #rules: Rules
  readonly #report: Report

  constructor(book: Book, rules: Rules, report: Report) {
    this.#book = book
    this.#rules = rules
    this.#report = report
  }

  /** It is called once what the record began is in the book. */
  add(record: HistoryRecord): void {
    if (record.kind === 'exit') this.#book.running.delete(record.life)
    if (record.kind !== 'begin') return
    const { size } = this.#book.runningIn(record.life)
    this.most = Math.max(this.most, size)
    if (size > this.#rules.concurrency)
      this.#report(
        'gate',
        record.at,
        `${record.life} runs ${size} at a time, and has ${this.#rules.concurrency} permits`,
      )
  }
}
