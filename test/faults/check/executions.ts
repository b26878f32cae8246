/** One delivery after the other: how often it may run, in whose name, and that nothing changes after its outcome. */
import type { Begin, HistoryRecord } from '../history/records.ts'
import type { Book, Delivery, Execution, Operation } from './book.ts'
import { hasRun, isFinal, pairOf, show } from './book.ts'
import type { Report, Rules } from './rules.ts'
import type { Windows } from './windows.ts'

/** A stall of a process is said when it is over, a while after what came of it. */
const PATIENCE_MS = 2_500
/** How long before a handler begins its row may have been claimed. */
const CLAIMED_BEFORE_MS = 500

/** An outcome is said a moment after its commit. */
const SAID_LATE_MS = 1_000

interface Suspicion {
  readonly at: number
  readonly delivery: Delivery
  judge(): void
}

export class Executions {
  /** Runs of what had been begun and not failed: effects that are there twice. */
  duplicates = 0
  /** Attempts that were charged, and never begun as far as anybody said. */
  chargedUnrun = 0
  overwrites = 0
  #suspicions: Suspicion[] = []
  readonly #book: Book
  readonly #windows: Windows
  readonly #rules: Rules
  readonly #report: Report
  readonly #letters = new Map<string, Delivery>()

  constructor(book: Book, windows: Windows, rules: Rules, report: Report) {
    this.#book = book
    this.#windows = windows
    this.#rules = rules
    this.#report = report
  }

  add(record: HistoryRecord): void {
    while (this.#suspicions[0] !== undefined && this.#suspicions[0].at + PATIENCE_MS < record.at)
      this.#suspicions.shift()?.judge()
    if (record.kind === 'rewound') this.#rewound(record)
    else if (record.kind === 'begin') this.#begin(record, record.at, record.life)
    else if (record.kind === 'end') this.#end(record.run, record.how === 'failed', record.at, record.life)
    else if (record.kind === 'outcome') this.#outcome(record)
  }

  /**
   * Of what was not settled long before: whether the server knows of it is open. It may run again, with the attempts that the server
   * counts; and ids that it had given come again. After the operations, which know what is forgotten.
   */
  #rewound({ since }: Extract<HistoryRecord, { kind: 'rewound' }>): void {
    this.finish()
    this.#letters.clear()
    for (const [id, delivery] of this.#book.deliveries) {
      const { operation, ended, letter } = delivery
      const pair = pairOf(delivery)
      const isCurrent = operation.deliveries.get(pair) === delivery
      // A request is kept with its operation, whatever has become of its row; what handled a letter, for that letter.
      delivery.isOfLostServer = true
      if (!isCurrent && letter === undefined) this.#book.deliveries.delete(id)
      else if (ended === undefined || ended.at >= since - SAID_LATE_MS) {
        if (hasRun(delivery)) delivery.ranBefore = true
        // What runs under a lease that the server knows of may still end by it.
        const running = delivery.executions.filter(({ end }) => end === undefined)
        delivery.executions.splice(0, Infinity, ...running)
        delete delivery.ended
        // The letter may be announced once more, as another event, or come again with the delivery that dies once more.
        if (isCurrent && letter !== undefined) operation.deliveries.delete(pair)
      }
    }
  }

  finish(): void {
    for (const { judge } of this.#suspicions) judge()
    this.#suspicions = []
  }

  #begin(begin: Begin, at: number, life: string): void {
    const operation = this.#book.operations.get(begin.op)
    if (operation === undefined)
      return this.#report('uncalled', at, `nobody began operation ${begin.op}: ${JSON.stringify(begin)}`)
    const delivery = this.#deliveryOf(begin, operation, at)
    const execution = { run: begin.run, life, attempt: begin.attempt, begin: at, delivery }
    this.#compare(begin, operation, delivery, at)
    this.#count(execution, delivery, at)
    delivery.executions.push(execution)
    this.#book.runningIn(life).set(begin.run, execution)
  }

  #deliveryOf(begin: Begin, operation: Operation, at: number): Delivery {
    const { trigger, letter } = begin
    const known = this.#book.deliveries.get(begin.delivery)
    if (known?.operation === operation && pairOf(known) === pairOf(begin)) return known
    if (known !== undefined && known.isOfLostServer !== true)
      this.#report('doubled', at, `${operation.op} to ${pairOf(begin)} has the id of another one: ${show(known)}`)
    const delivery: Delivery = { id: begin.delivery, operation, trigger, letter, executions: [] }
    this.#book.deliveries.set(delivery.id, delivery)
    const pair = pairOf(begin)
    const other = operation.deliveries.get(pair)
    if (other !== undefined)
      this.#report('doubled', at, `${operation.op} has another row for ${pair}, ${begin.delivery}: ${show(other)}`)
    operation.deliveries.set(pair, delivery)
    if (letter === undefined && operation.runs?.includes(trigger) === false)
      this.#report('uncalled', at, `${operation.op} (${operation.how}) is not for trigger ${trigger}, in ${begin.app}`)
    return delivery
  }

  /** Whose it is, and whether it may run at all. */
  #compare(begin: Begin, operation: Operation, delivery: Delivery, at: number): void {
    const { app, op } = operation
    const registrant = this.#rules.registrantOf(app)
    const about = `${op} of ${app} ran in ${begin.app} as ${begin.principal ?? 'nobody'}, to ${begin.trigger}`
    if (begin.app !== app || begin.principal !== registrant) this.#report('crossed', at, about)
    if (begin.saw !== undefined && begin.saw !== app)
      this.#report('crossed', at, `${about}, and saw an entry of ${begin.saw}`)
    if (operation.state === 'rolled back')
      this.#report('aborted', at, `was rolled back and ran: ${begin.trigger} of ${op}`)
    if (begin.depth > this.#rules.maxTriggerDepth) this.#report('depth', at, `${op} ran at depth ${begin.depth}`)
    if (delivery.letter !== undefined) {
      const other = this.#letters.get(delivery.letter)
      if (other !== undefined)
        this.#report('dead-letter', at, `dead letter ${delivery.letter} is handled again: ${show(other)}`)
      this.#letters.set(delivery.letter, delivery)
    }
    if (begin.request !== undefined && delivery.executions.length > 0)
      this.#report('request', at, `a request runs again: ${show(delivery)}`)
  }

  /** Whether this execution may be. */
  #count(execution: Execution, delivery: Delivery, at: number): void {
    const { attempt, life } = execution
    const { executions, ended } = delivery
    if (attempt > this.#rules.maxAttempts || executions.length >= this.#rules.maxAttempts)
      this.#report('attempts', at, `attempt ${attempt}, execution ${executions.length + 1}: ${show(delivery)}`)
    const twin = executions.find((other) => other.attempt === attempt)
    if (twin !== undefined) {
      this.duplicates++
      this.#suspect(delivery, at, () => {
        if (this.#outrun(twin, at) || this.#outrun(execution, at)) return
        this.#report('attempt-twice', at, show(delivery))
      })
    }
    if (ended !== undefined) {
      this.#suspect(delivery, at, () => {
        if (!this.#windows.hurt(life, ended.at - PATIENCE_MS, at))
          this.#report('late', at, `begun in ${life}: ${show(delivery)}`)
      })
      if (attempt > ended.attempt) this.#overwritten(delivery, at)
    }
    // One that comes late has been superseded already.
    if (attempt > 1 && twin === undefined && !executions.some((other) => other.attempt > attempt))
      this.#explain(execution, delivery, at)
  }

  /** Why the attempt before was not the last. */
  #explain({ attempt }: Execution, delivery: Delivery, at: number): void {
    const before = delivery.executions.find((other) => other.attempt === attempt - 1)
    if (before === undefined) {
      this.chargedUnrun++
      const since = delivery.executions.at(-1)?.begin ?? delivery.operation.at
      this.#suspect(delivery, at, () => {
        if (this.#windows.anyDispatcherHurt(since, at)) return
        this.#report('unexplained', at, `attempt ${attempt - 1} was charged and never begun: ${show(delivery)}`)
      })
    } else if (before.failed !== true) {
      this.duplicates++
      this.#suspect(delivery, at, () => {
        if (!this.#hurt(before, at)) this.#report('unexplained', at, show(delivery))
      })
    }
  }

  #hurt({ life, begin, end }: Execution, at: number): boolean {
    return this.#windows.hurt(life, begin - CLAIMED_BEFORE_MS, Math.min(at, (end ?? at) + PATIENCE_MS))
  }

  #outrun({ life, begin, end }: Execution, at: number): boolean {
    return this.#windows.wasOutrun(life, begin - CLAIMED_BEFORE_MS, Math.min(at, (end ?? at) + PATIENCE_MS))
  }

  #end(run: number, failed: boolean, at: number, life: string): void {
    const runs = this.#book.runningIn(life)
    const execution = runs.get(run)
    if (execution === undefined) return
    runs.delete(run)
    execution.end = at
    execution.failed = failed
    this.#book.ended.push(execution)
  }

  #outcome(record: Extract<HistoryRecord, { kind: 'outcome' }>): void {
    const { attempt, outcome, at } = record
    const delivery = this.#book.deliveries.get(record.delivery)
    // It may be the outcome of one that had the id on a server that is lost.
    if (delivery === undefined || delivery.trigger !== record.trigger) return
    if (!isFinal(outcome)) {
      if (wasTakenOver(delivery, record)) this.#overwritten(delivery, at, `${outcome} at attempt ${attempt}`)
      return
    }
    const later = delivery.executions.some((execution) => execution.attempt > attempt)
    if (delivery.ended !== undefined || later) this.#overwritten(delivery, at, `${outcome} at attempt ${attempt}`)
    delivery.ended ??= { attempt, outcome, at }
  }

  #overwritten(delivery: Delivery, at: number, by = 'another attempt'): void {
    this.overwrites++
    this.#report('overwritten', at, `by ${by}: ${show(delivery)}`)
  }

  #suspect(delivery: Delivery, at: number, judge: () => void): void {
    this.#suspicions.push({ at, delivery, judge })
  }
}

/**
 * Whether this life's run of that attempt had not ended when a later attempt was begun: then it had lost its row, and what came
 * of it changes nothing. Not so of an attempt that it charged for a death.
 */
function wasTakenOver(
  { executions }: Delivery,
  { attempt, life, failure }: Extract<HistoryRecord, { kind: 'outcome' }>,
): boolean {
  const run = executions.find((execution) => execution.attempt === attempt && execution.life === life)
  const { end } = run ?? {}
  if (end === undefined || failure === 'crashed') return false
  return executions.some((execution) => execution.attempt > attempt && execution.begin < end)
}
