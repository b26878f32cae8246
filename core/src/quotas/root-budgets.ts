/**
 * Bounds how many rows one root event causes through all triggers: the quota `rowsPerRoot`. What an emit would write
 * beyond it is written (G2) with a depth that no dispatcher of any version runs. Most emits cost a look into a map;
 * docs/quotas.md says when the database is asked.
 */
import type { Logger } from 'pino'
import { SPENT_DEPTH } from '../contract/scope.ts'
import type { CountedEvent } from './counted-event.ts'
import { noteRootRows } from '../sql/quotas/root-rows.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { Quotas } from '../contract/quotas.ts'

/** The least recently used root goes first, and forgets at most a hundredth of its budget. */
const MAX_ROOTS = 10_000
const PORTIONS = 100

interface Root {
  readonly budget: number
  /** Rows that this process has written. The root's own first row counts as one. */
  used: number
  /** Rows that this process may write without asking. */
  granted: number
  isNoted: boolean
  isSpent: boolean
}

/** An event whose rows have to be noted first. */
interface Pending {
  readonly event: CountedEvent
  readonly rows: number
  readonly root: Root
}

export class RootBudgets {
  readonly #sql: Sql
  readonly #log: Logger
  readonly #roots = new Map<string, Root>()
  /** Events that are charged; a repeated statement does not charge them again. */
  readonly #charged = new WeakSet<CountedEvent>()

  constructor(sql: Sql, log: Logger) {
    this.#sql = sql
    this.#log = log
  }

  /** Charges rows to their roots if that needs no I/O. Answers with the events where it does. */
  charge(
    events: readonly CountedEvent[],
    matched: readonly (readonly unknown[])[],
    quotasOf: (app: string) => Quotas,
  ): Pending[] | undefined {
    let pending: Pending[] | undefined
    for (const [i, event] of events.entries()) {
      const rows = matched[i]?.length ?? 0
      if (rows === 0) continue
      const { rowsPerRoot: budget } = quotasOf(event.app)
      const portion = portionOf(budget)
      // A few rows of an event without a cause are free; what they cause is charged.
      if ((event.depth <= 1 && rows < portion) || this.#charged.has(event)) continue
      const root = this.#rootOf(event, budget, portion)
      if (root.isSpent || root.used + rows > budget) this.#end(event, root)
      else if (root.used + rows <= root.granted) this.#use(event, rows, root)
      else (pending ??= []).push({ event, rows, root })
    }
    return pending
  }

  /** One after another, because each may be the last that fits. */
  async note(pending: readonly Pending[], on: Queryable): Promise<void> {
    for (const { event, rows, root } of pending) {
      if (!root.isSpent && root.used + rows > root.granted) await this.#note(event, rows, root, on)
      if (root.isSpent || root.used + rows > root.granted) this.#end(event, root)
      else this.#use(event, rows, root)
    }
  }

  async #note({ app, rootId }: CountedEvent, rows: number, root: Root, on: Queryable): Promise<void> {
    // The first note includes what was used before.
    const unnoted = root.isNoted ? 0 : root.granted
    const more = Math.max(portionOf(root.budget), root.used + rows - root.granted)
    root.isNoted = true
    const [noted] = await this.#sql.run(on, noteRootRows, [app, rootId, unnoted + more])
    const left = root.budget - ((noted?.rows ?? 0) - more)
    root.granted += Math.max(0, Math.min(more, left))
  }

  #use(event: CountedEvent, rows: number, root: Root): void {
    root.used += rows
    this.#charged.add(event)
  }

  #end(event: CountedEvent, root: Root): void {
    if (!root.isSpent) {
      root.isSpent = true
      const { app, rootId, chain } = event
      this.#log.warn(
        { app, rootId, chain, rowsPerRoot: root.budget },
        'a root event has caused as many rows as it may: what it causes from now on is written and skipped',
      )
    }
    event.depth = SPENT_DEPTH
    this.#charged.add(event)
  }

  #rootOf({ app, rootId, depth }: CountedEvent, budget: number, portion: number): Root {
    const key = `${rootId} ${app}`
    let root = this.#roots.get(key)
    if (root !== undefined) this.#roots.delete(key)
    if (root?.budget !== budget)
      root = { budget, used: depth > 1 ? 1 : 0, granted: portion, isNoted: false, isSpent: false }
    this.#roots.set(key, root)
    if (this.#roots.size > MAX_ROOTS) this.#roots.delete(this.#roots.keys().next().value as string)
    return root
  }
}

function portionOf(budget: number): number {
  return Math.max(1, Math.floor(budget / PORTIONS))
}
