/**
 * Judges a history: of each record as it comes, for what is certain by then, and of the whole with what is in the
 * database in the end. Pure: it has no clock but that of the records.
 */
import type { HistoryRecord } from '../history/records.ts'
import { Book } from './book.ts'
import { Executions } from './executions.ts'
import type { FinalState } from './final-state.ts'
import { Gate } from './gate.ts'
import type { HonouredFigures } from './honoured.ts'
import type { Pending } from './operations.ts'
import { Operations } from './operations.ts'
import { Order } from './order.ts'
import type { RequestCounts } from './outcomes.ts'
import { checkDeadLetters, checkLedger, checkRequests } from './outcomes.ts'
import { Recovery } from './recovery.ts'
import type { Violation } from './violation.ts'
import { Windows } from './windows.ts'
import type { Rules, Report } from './rules.ts'

export interface Figures {
  /** Operations that are committed. */
  readonly events: number
  readonly executions: number
  /** Committed events, times the triggers that match them. */
  readonly pairs: number
  readonly rolledBack: number
  readonly failures: number
  readonly deadLetters: number
  readonly requests: RequestCounts
  readonly duplicates: number
  readonly chargedUnrun: number
  readonly fencedOverwrites: number
  /** The most executions that one process ran at a time. */
  readonly mostAtATime: number
  /** How soon emits went by a trigger that was made or deleted. */
  readonly triggers: HonouredFigures
  readonly faults: Readonly<Record<string, number>>
  /** How long recovery took, in ms, by fault. */
  readonly recovery: ReadonlyMap<string, readonly number[]>
  /** The same of what was under a lease, in ms, by fault. */
  readonly leasedRecovery: ReadonlyMap<string, readonly number[]>
}

export class Checker {
  readonly violations: Violation[] = []
  readonly #book = new Book()
  readonly #windows = new Windows()
  readonly #operations: Operations
  readonly #executions: Executions
  readonly #order: Order
  readonly #gate: Gate
  readonly #recovery: Recovery
  readonly #rules: Rules
  #begun = 0
  #failed = 0
  #at = 0

  /** `onViolation` hears of each when it is found. */
  constructor(rules: Rules, onViolation: (violation: Violation) => void = () => undefined) {
    const report: Report = (kind, at, about) => {
      const violation = { kind, at, about }
      this.violations.push(violation)
      onViolation(violation)
    }
    this.report = report
    this.#rules = rules
    this.#operations = new Operations(this.#book, report)
    this.#executions = new Executions(this.#book, this.#windows, rules, report)
    this.#order = new Order(this.#book, this.#windows, report)
    this.#gate = new Gate(this.#book, rules, report)
    this.#recovery = new Recovery(this.#book, this.#windows)
  }

  /** Reports what is seen elsewhere than in the history. */
  readonly report: Report

  add(record: HistoryRecord): void {
    this.#at = record.at
    if (record.kind === 'exit') this.#exit(record)
    this.#windows.add(record)
    this.#operations.add(record)
    this.#executions.add(record)
    this.#order.add(record)
    this.#recovery.add(record)
    this.#gate.add(record)
    if (record.kind === 'forbidden') this.report('forbidden', record.at, `${record.life}: ${record.text}`)
    if (record.kind === 'begin') this.#begun++
    if (record.kind === 'end' && record.how === 'failed') this.#failed++
  }

  /** Whoever looks into the database asks for these, and says which of them it has no trace of: see {@link gone}. */
  pending(before: number): Pending[] {
    return this.#operations.pending(before)
  }

  gone(pending: readonly Pending[]): void {
    this.#operations.gone(pending, this.#at)
  }

  finish(final: FinalState): Figures {
    const at = this.#at
    this.#executions.finish()
    this.#operations.finish(final, at)
    checkLedger(this.#book, final, at, this.report)
    checkDeadLetters(this.#book, final, this.#rules, at, this.report)
    const requests = checkRequests(this.#book, final, at, this.report)
    for (const row of final.left) this.report('stuck', at, `still in the outbox: ${row}`)
    const operations = [...this.#book.operations.values()]
    return {
      events: operations.filter(({ state }) => state === 'committed').length,
      executions: this.#begun,
      pairs: this.#operations.pairs,
      rolledBack: operations.filter(({ state }) => state === 'rolled back').length,
      failures: this.#failed,
      deadLetters: final.deadLetters.length,
      requests,
      duplicates: this.#executions.duplicates,
      chargedUnrun: this.#executions.chargedUnrun,
      fencedOverwrites: this.#executions.overwrites + this.violations.filter(({ kind }) => kind === 'late').length,
      mostAtATime: this.#gate.most,
      triggers: this.#operations.honoured,
      faults: Object.fromEntries(this.#recovery.struck),
      recovery: this.#recovery.samples,
      leasedRecovery: this.#recovery.leasedSamples,
    }
  }

  /** No fault may end a process but one that kills it (G16). */
  #exit({ life, at, code, signal, words = '' }: Extract<HistoryRecord, { kind: 'exit' }>): void {
    const killed = signal === 'SIGKILL' || signal === 'SIGTERM'
    if (code === 0 || (killed && this.#windows.hurt(life, at, at))) return
    this.report('died', at, `${life} ended by itself, by ${signal ?? `code ${code}`}: ${words}`)
  }
}

export function check(
  history: Iterable<HistoryRecord>,
  final: FinalState,
  rules: Rules,
): { violations: Violation[]; figures: Figures } {
  const checker = new Checker(rules)
  for (const record of history) checker.add(record)
  return { figures: checker.finish(final), violations: checker.violations }
}
