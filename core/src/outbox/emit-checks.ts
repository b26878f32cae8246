/**
 * Matches events and decides whether they may be written: by their triggers, the app's quotas and the root's budget.
 * All of it is done in memory. Only a refusal asks the database, since the index in memory may be stale.
 */
import { isOutbusError } from '../errors.ts'
import type { OutbusError } from '../errors.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { Admission, Refusal } from '../quotas/admission.ts'
import type { RootBudgets } from '../quotas/root-budgets.ts'
import { nextTurn } from '../time/end-of-tick.ts'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import type { MatchingIndex } from '../triggers/matching-index.ts'
import type { EmitIndexes, Indexes, Unmatchable } from './emit-indexes.ts'
import { matchOrError } from './emit-indexes.ts'
import type { PreparedEvent } from './prepare.ts'
import { firstRefused, refusalOf } from './unmatched.ts'

type Matched = readonly (readonly IndexedTrigger[])[]

export interface EmitChecksOptions {
  readonly admission: Admission
  /** How many rows a root event may still cause. */
  readonly roots: RootBudgets
}

export class EmitChecks {
  readonly #indexes: EmitIndexes
  readonly #options: EmitChecksOptions

  constructor(indexes: EmitIndexes, options: EmitChecksOptions) {
    this.#indexes = indexes
    this.#options = options
  }

  /** Whether a quota may refuse so many events, so that each has to be checked. Decided in memory. */
  isInDoubt(app: string, events: number): boolean {
    const index = this.#indexes.latestOf(app)
    return index === undefined || this.#options.admission.isInDoubt(app, events, index.size, index.quotas)
  }

  /** A refusal that is certain, since the database has just refused the app. Decided in memory. */
  refusedAtOnce(events: readonly PreparedEvent[]): OutbusError | undefined {
    const { admission } = this.#options
    const indexes = this.#indexes.latest(events)
    if (indexes === undefined || !events.every(({ app }) => admission.isSure(app))) return undefined
    const matched = matchOrError(events, indexes)
    // What cannot be matched may be another refusal, or none by now.
    if (!Array.isArray(matched)) return undefined
    const refusal = this.overQuota(events, matched, indexes)
    return refusal && admission.refuse(refusal, false)
  }

  /** The first quota that the events exceed. It is not yet verified. */
  overQuota(events: readonly PreparedEvent[], matched: Matched, indexes: Indexes): Refusal | undefined {
    return this.#options.admission.refusalOf(events, matched, quotasOf(indexes))
  }

  /** Charges the rows to their roots. Undefined where that needs no statement, as nearly always. */
  charge(
    events: readonly PreparedEvent[],
    matched: Matched,
    indexes: Indexes,
    on: Queryable,
  ): Promise<void> | undefined {
    const { roots } = this.#options
    const pending = roots.charge(events, matched, quotasOf(indexes))
    return pending && roots.note(pending, on)
  }

  /** Whether the events may be written without a statement before theirs. Charges the rows if so. */
  passesAtOnce(events: readonly PreparedEvent[], matched: Matched, indexes: Indexes): boolean {
    if (this.overQuota(events, matched, indexes) !== undefined) return false
    return this.#options.roots.charge(events, matched, quotasOf(indexes)) === undefined
  }

  /** `rows` of the app were written. */
  written(app: string, rows: number): void {
    this.#options.admission.written(app, rows)
  }

  /**
   * The triggers of each event. A promise rejects where an event is refused or cannot be matched, or resolves with a
   * newer index at hand. Without a promise otherwise, since every emit comes by here.
   */
  match(events: readonly PreparedEvent[], indexes: Indexes, on: Queryable): IndexedTrigger[][] | Promise<void> {
    const matched = matchOrError(events, indexes)
    if (!Array.isArray(matched)) return this.#failUnlessStale(matched, indexes, on)
    const refused = firstRefused(events, matched)
    if (refused === undefined) return matched
    const refusal = refusalOf(refused, matched[events.indexOf(refused)] as IndexedTrigger[])
    return this.#refuseUnlessStale(refused.app, refusal, indexes, on)
  }

  /** Resolves if the quotas or triggers have changed, or there is room again. */
  async refuseUnlessMistaken(refusal: Refusal, indexes: Indexes, on: Queryable): Promise<void> {
    const { admission } = this.#options
    if (!(await admission.isRight(refusal, on))) return
    if (admission.isSure(refusal.app)) {
      await nextTurn()
      throw admission.refuse(refusal, false)
    }
    const stale = await this.#indexes.staleOf(indexes, on)
    if (!stale.has(refusal.app)) throw admission.refuse(refusal, true)
    await this.#indexes.makeLatest(stale, on)
  }

  /**
   * Returns the events that are still to be written. Throws if nothing is written so far. Otherwise leaves the app's
   * events out, unless some are written: these go together.
   */
  async withoutRefused(
    refusal: Refusal,
    events: readonly PreparedEvent[],
    indexes: Indexes,
    on: Queryable,
    written: ReadonlyMap<PreparedEvent, unknown>,
  ): Promise<{ again: PreparedEvent[]; ask: boolean }> {
    try {
      await this.refuseUnlessMistaken(refusal, indexes, on)
      return { again: [...events], ask: true }
    } catch (error) {
      if (written.size === 0 || !isOutbusError(error, 'quota.exceeded')) throw error
      const { app: refused } = refusal
      if ([...written.keys()].some(({ app }) => app === refused)) return { again: [...events], ask: false }
      return { again: events.filter(({ app }) => app !== refused), ask: true }
    }
  }

  /** The trigger whose filter cannot be read may be gone, and no statement is sent that would tell. */
  async #failUnlessStale({ error }: Unmatchable, indexes: Indexes, on: Queryable): Promise<void> {
    const stale = await this.#indexes.staleOf(indexes, on)
    if (stale.size === 0) throw error
    await this.#indexes.makeLatest(stale, on)
  }

  /** Resolves with the new index at hand if the triggers have changed. */
  async #refuseUnlessStale(app: string, refusal: OutbusError, indexes: Indexes, on: Queryable): Promise<void> {
    const stale = await this.#indexes.staleOf(indexes, on)
    if (!stale.has(app)) throw refusal
    await this.#indexes.makeLatest(stale, on)
  }
}

function quotasOf(indexes: Indexes) {
  return (app: string) => (indexes.get(app) as MatchingIndex).quotas
}
