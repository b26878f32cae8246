/** What the emitters did: what of it is committed, what is lost, and what ran although it was rolled back. */
import type { HistoryRecord } from '../history/records.ts'
import { LATE_TRIGGER, rowsOf, runsOf } from '../load/triggers.ts'
import type { Book, Operation } from './book.ts'
import { hasRun, isSettled, show } from './book.ts'
import type { Report } from './rules.ts'
import type { FinalState } from './final-state.ts'
import type { HonouredFigures } from './honoured.ts'
import { Honoured } from './honoured.ts'

/** A committed pair of an event and a trigger that has no outcome yet, as far as the history says. */
export interface Pending {
  readonly op: string
  readonly eventId: string
  readonly trigger: string
}

/** So long a request may take: longer than any caller waits. */
const REQUEST_MS = 12_000

export class Operations {
  readonly #book: Book
  readonly #report: Report
  readonly #pending = new Map<string, Operation>()
  readonly #lost = new Set<string>()
  /** The database is becoming another one, for the n-th time. */
  #rewinding = false
  #generation = 0
  #askedIn = 0
  readonly #honoured = new Honoured()

  constructor(book: Book, report: Report) {
    this.#book = book
    this.#report = report
  }

  add(record: HistoryRecord): void {
    this.#honoured.add(record)
    if (record.kind === 'rewinding') this.#rewinding = true
    if (record.kind === 'rewound') this.#rewound(record)
    if (record.kind === 'invoke') {
      const { kind: _kind, ...invoked } = record
      const runs = record.how === 'set-late' ? undefined : runsOf(record.how, record.hop)
      this.#book.operations.set(record.op, { ...invoked, runs, state: 'unknown', deliveries: new Map() })
      return
    }
    if (record.kind !== 'ok' && record.kind !== 'fail' && record.kind !== 'reply') return
    const operation = this.#book.operations.get(record.op)
    if (operation === undefined)
      return this.#report('uncalled', record.at, `an answer to ${record.op}, which nobody began`)
    if (record.kind === 'fail') this.#rolledBack(operation, record.at)
    else if (operation.forgotten === true) return
    else if (record.kind === 'reply') {
      const { requestId, failure } = record
      operation.reply = { requestId, failure }
      if (record.answered !== undefined && record.answered !== operation.op)
        this.#report('crossed', record.at, `${operation.op} got the reply to ${record.answered}`)
      operation.state = 'committed'
    } else {
      operation.state = 'committed'
      operation.committedAt = record.at
      operation.eventId = record.eventId
      this.#pending.set(operation.op, operation)
      if (operation.how === 'set-late') this.#setLate(operation, record.deliveries, record.at)
      else
        this.#expectRows(operation, record.deliveries, record.duplicate ? 0 : rowsOf(operation.how).length, record.at)
    }
  }

  /** What the server has now is what counts. What was acknowledged after `since` and is not there is nobody's any more. */
  #rewound({ since, has }: Extract<HistoryRecord, { kind: 'rewound' }>): void {
    this.#rewinding = false
    this.#generation++
    const there = new Set(has)
    for (const operation of this.#book.operations.values()) {
      const { op, how, state, committedAt, reply } = operation
      if (state === 'rolled back') continue
      if (how === 'ask') {
        // Its row, its reply or its caller's leave may be lost; a request that had its answer long before is as it was.
        if (reply === undefined || operation.at > since - REQUEST_MS) operation.excused = true
        continue
      }
      if (there.has(op) || (committedAt !== undefined && committedAt < since)) continue
      // Nobody knows of it yet, and it may still be written to the server that there is now.
      if (committedAt === undefined && operation.deliveries.size === 0) continue
      this.#pending.delete(op)
      operation.deliveries.clear()
      delete operation.committedAt
      // Whoever has a dedupe key asks again, and then it is committed after all.
      if (how === 'set-once' || how === 'publish-once') operation.state = 'unknown'
      else {
        operation.state = 'rolled back'
        operation.forgotten = true
      }
    }
  }

  /** Judges it by what was there all the time from before the emit until after it (G2). */
  #setLate(operation: Operation, deliveries: number, at: number): void {
    operation.runs = deliveries === 1 ? [LATE_TRIGGER.name] : []
    const expected = this.#honoured.expected(operation)
    if (expected === undefined) return
    const { rows, since } = expected
    this.#honoured.judged(operation, { since, honoured: deliveries === rows })
    const afterMs = Math.round(operation.at - since)
    this.#expectRows(operation, deliveries, rows, at, `, ${afterMs} ms after the trigger's last change was committed`)
  }

  #expectRows({ op, how, life }: Operation, made: number, wanted: number, at: number, when = ''): void {
    if (made === wanted) return
    const about = `${op} (${how}) in ${life} made ${made} rows and not ${wanted}${when}`
    this.#report(made < wanted ? 'lost' : 'uncalled', at, about)
  }

  /** Those committed before `before` that are not known to have come to an outcome. */
  pending(before: number): Pending[] {
    const found: Pending[] = []
    this.#askedIn = this.#generation
    if (this.#rewinding) return found
    for (const operation of this.#pending.values()) {
      if ((operation.committedAt ?? 0) > before) continue
      const open = this.#unsettled(operation)
      if (open.length === 0) this.#pending.delete(operation.op)
      for (const trigger of open) found.push({ op: operation.op, eventId: operation.eventId as string, trigger })
    }
    return found
  }

  /** Neither row nor dead letter is there: those of them that the history still knows no outcome of are lost. */
  gone(pending: readonly Pending[], at: number): void {
    // It was asked of a database that is not there any more.
    if (this.#rewinding || this.#askedIn !== this.#generation) return
    for (const { op, trigger } of pending) {
      const operation = this.#book.operations.get(op)
      if (operation !== undefined && this.#unsettled(operation).includes(trigger)) this.#lose(operation, trigger, at)
    }
  }

  finish(final: FinalState, at: number): void {
    const dead = new Set(final.deadLetters.map(({ op, trigger }) => `${op} ${trigger}`))
    for (const operation of this.#book.operations.values()) {
      const { op, how, state } = operation
      if (how === 'ask' || operation.forgotten === true) continue
      if (state === 'rolled back' && final.committed.has(op))
        this.#report('aborted', at, `${op} was rolled back and is there`)
      if (state === 'unknown') operation.state = final.committed.has(op) ? 'committed' : 'rolled back'
      if (state === 'unknown' && operation.state === 'rolled back') this.#rolledBack(operation, at)
      if (operation.state === 'rolled back') continue
      // What ran and what is there counts, and not what the bus says that came of it.
      for (const trigger of operation.runs ?? [])
        if (!hasRun(operation.deliveries.get(trigger)) && !dead.has(`${op} ${trigger}`))
          this.#lose(operation, trigger, at)
    }
  }

  get honoured(): HonouredFigures {
    return this.#honoured.figures
  }

  /** What is committed, times the triggers that are to run for it. */
  get pairs(): number {
    let pairs = 0
    for (const { state, runs } of this.#book.operations.values()) if (state === 'committed') pairs += runs?.length ?? 0
    return pairs
  }

  #unsettled(operation: Operation): string[] {
    return (operation.runs ?? []).filter((trigger) => !isSettled(operation.deliveries.get(trigger)))
  }

  #rolledBack(operation: Operation, at: number): void {
    operation.state = 'rolled back'
    for (const delivery of operation.deliveries.values())
      this.#report('aborted', at, `${operation.op} was rolled back and ran: ${show(delivery)}`)
  }

  #lose(operation: Operation, trigger: string, at: number): void {
    const pair = `${operation.op} ${trigger}`
    if (this.#lost.has(pair)) return
    this.#lost.add(pair)
    const delivery = operation.deliveries.get(trigger)
    const ran = delivery === undefined ? 'never ran' : show(delivery)
    this.#report(
      'lost',
      at,
      `${this.#place(operation)} of ${operation.life}: ${operation.op} (${operation.how}) to ${trigger}, committed ${operation.committedAt?.toFixed(1) ?? 'at some time'}: ${ran}`,
    )
  }

  /** Where it is among what its emitter committed: before all that ran, after it, or between. */
  #place(lost: Operation): string {
    const others = [...this.#book.operations.values()].filter(
      ({ life, state }) => life === lost.life && state === 'committed',
    )
    const ran = others.filter((operation) => this.#unsettled(operation).length === 0)
    if (!ran.some(({ at }) => at < lost.at)) return 'prefix'
    return ran.some(({ at }) => at > lost.at) ? 'middle' : 'suffix'
  }
}
