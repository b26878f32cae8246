/**
 * From when a fault hurt until what was in flight was begun again; where nothing was, until the next execution anywhere.
 * Rows under a lease wait until it has run out, by design: they are counted apart.
 */
import type { HistoryRecord } from '../history/records.ts'
import type { Book, Delivery, Execution } from './book.ts'
import { isFinal } from './book.ts'
import { HOLD_MS } from '../settings.ts'
import { SLOW_MACHINE } from '../history/records.ts'
import type { Windows } from './windows.ts'

interface Awaited {
  readonly fault: string
  readonly since: number
  readonly leased: boolean
  readonly attempt: number
  /** Which was hurt. */
  readonly life: string
}

interface Open {
  readonly fault: string
  readonly at: number
  readonly hurt: ReadonlySet<string>
  hadAny: boolean
}

/** What had ended, and whose outcome nobody has said, may not have been committed: for so long. */
const UNSAID_MS = 1_000

export class Recovery {
  /** How long recovery took, in ms, by fault. */
  readonly samples = new Map<string, number[]>()
  /** The same of what was under a lease. */
  readonly leasedSamples = new Map<string, number[]>()
  /** Windows by fault. */
  readonly struck = new Map<string, number>()
  readonly #book: Book
  readonly #windows: Windows
  readonly #open = new Map<number, Open>()
  readonly #awaited = new Map<Delivery, Awaited>()
  /** When each life said its last word. */
  readonly #heard = new Map<string, number>()
  readonly #healed: { readonly fault: string; readonly at: number }[] = []

  constructor(book: Book, windows: Windows) {
    this.#book = book
    this.#windows = windows
  }

  /** It is called while what the life of an `exit` ran is in the book, and once what a `begin` began is. */
  add(record: HistoryRecord): void {
    if (record.life !== '' && record.kind !== 'exit') this.#heard.set(record.life, record.at)
    // Nobody's fault, and no end of it to recover from.
    if (record.kind === 'open' && record.fault === SLOW_MACHINE) return
    if (record.kind === 'open') this.#hurt(record)
    else if (record.kind === 'exit') {
      for (const open of this.#open.values()) if (open.hurt.has(record.name)) this.#exited(open, record.life)
      this.#heard.delete(record.life)
    } else if (record.kind === 'close') {
      const open = this.#open.get(record.window)
      this.#open.delete(record.window)
      if (open !== undefined && !open.hadAny) this.#healed.push({ fault: open.fault, at: record.at })
    } else if (record.kind === 'begin') this.#begun(record.delivery, record.attempt, record.at)
    else if (record.kind === 'end') this.#ended(record.at)
    else if (record.kind === 'outcome') {
      const delivery = this.#book.deliveries.get(record.delivery)
      const awaited = delivery === undefined ? undefined : this.#awaited.get(delivery)
      // A retry by somebody else is what is awaited.
      if (delivery !== undefined && (awaited?.life === record.life || isFinal(record.outcome)))
        this.#awaited.delete(delivery)
    }
  }

  #hurt({ window, fault, hurt, at }: Extract<HistoryRecord, { kind: 'open' }>): void {
    const open = { fault, at, hurt: new Set(hurt), hadAny: false }
    this.#open.set(window, open)
    this.struck.set(fault, (this.struck.get(fault) ?? 0) + 1)
    for (const [life, runs] of this.#book.running)
      if (open.hurt.has(this.#windows.nameOf(life))) this.#await(open, runs.values(), at)
  }

  #ended(at: number): void {
    const { ended } = this.#book
    while (ended[0] !== undefined && (ended[0].end ?? 0) < at - UNSAID_MS) ended.shift()
  }

  #exited(open: Open, life: string): void {
    // Its end is heard of later than it was: it had said nothing since, or since the fault began.
    const since = Math.max(open.at, this.#heard.get(life) ?? open.at)
    this.#await(open, this.#book.runningIn(life).values(), since)
    const unsaid = this.#book.ended.filter(({ life: of, delivery }) => of === life && delivery.ended === undefined)
    this.#await(open, unsaid, since)
  }

  #await(open: Open, executions: Iterable<Execution>, since: number): void {
    for (const execution of executions) {
      const { delivery, attempt, life } = execution
      const leased = isLeased(execution, since)
      if (!leased) open.hadAny = true
      this.#awaited.set(delivery, { fault: open.fault, since, leased, attempt, life })
    }
  }

  #begun(id: string, attempt: number, at: number): void {
    for (const { fault, at: since } of this.#healed.splice(0)) sample(this.samples, fault, at - since)
    const delivery = this.#book.deliveries.get(id)
    const awaited = delivery === undefined ? undefined : this.#awaited.get(delivery)
    if (delivery === undefined || awaited === undefined || attempt <= awaited.attempt) return
    this.#awaited.delete(delivery)
    sample(awaited.leased ? this.leasedSamples : this.samples, awaited.fault, at - awaited.since)
  }
}

/** One by one, spilled, or alone since it was interrupted before. */
function isLeased({ delivery, attempt, begin }: Execution, at: number): boolean {
  if (delivery.trigger === 'transactional' || at - begin > HOLD_MS) return true
  return delivery.executions.some((before) => before.attempt === attempt - 1 && before.failed !== true)
}

function sample(samples: Map<string, number[]>, fault: string, ms: number): void {
  const of = samples.get(fault)
  if (of === undefined) samples.set(fault, [ms])
  else of.push(ms)
}
