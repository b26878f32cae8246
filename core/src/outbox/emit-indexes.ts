/** The indexes that match events: for each app the latest that this process has. */
import { readEpochs } from '../sql/emit/read-epochs.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import type { IndexCache } from '../triggers/index-cache.ts'
import { NO_TRIGGERS_EPOCH } from '../triggers/index-cache.ts'
import type { MatchingIndex } from '../triggers/matching-index.ts'
import type { PreparedEvent } from './prepare.ts'

/** By app. */
export type Indexes = ReadonlyMap<string, MatchingIndex>

export class EmitIndexes {
  readonly #sql: Sql
  readonly #cache: IndexCache

  constructor(sql: Sql, cache: IndexCache) {
    this.#sql = sql
    this.#cache = cache
  }

  /** The apps whose epoch has changed, with the new epoch. */
  async staleOf(indexes: Indexes, on: Queryable): Promise<Map<string, string>> {
    const rows = await this.#sql.run(on, readEpochs, [[...indexes.keys()]])
    const seen = new Map(rows.map((row) => [row.app_id, row.epoch]))
    const stale = new Map<string, string>()
    for (const [app, { epoch: expected }] of indexes) {
      const epoch = seen.get(app) ?? NO_TRIGGERS_EPOCH
      if (epoch !== expected) stale.set(app, epoch)
    }
    return stale
  }

  /** Lets the next round find the index that the statement saw. */
  async makeLatest(stale: ReadonlyMap<string, string>, on: Queryable): Promise<void> {
    for (const [app, epoch] of stale) if (this.#cache.at(app, epoch) === undefined) await this.#cache.load(app, on)
  }

  async of(events: readonly PreparedEvent[], on: Queryable): Promise<Indexes> {
    let indexes = this.latest(events)
    for (; indexes === undefined; indexes = this.latest(events)) await this.#loadMissing(events, on)
    return indexes
  }

  async #loadMissing(events: readonly PreparedEvent[], on: Queryable): Promise<void> {
    for (const app of new Set(events.map((event) => event.app)))
      if (this.#cache.latest(app) === undefined) await this.#cache.load(app, on)
  }

  latestOf(app: string): MatchingIndex | undefined {
    return this.#cache.latest(app)
  }

  /** All at one moment, since another emit may replace them. */
  latest(events: readonly PreparedEvent[]): Indexes | undefined {
    const indexes = new Map<string, MatchingIndex>()
    let last: string | undefined
    for (const { app } of events) {
      // Neighbours are mostly of one app.
      if (app === last) continue
      const index = this.#cache.latest(app)
      if (index === undefined) return undefined
      indexes.set((last = app), index)
    }
    return indexes
  }
}

export function matchAll(events: readonly PreparedEvent[], indexes: Indexes): IndexedTrigger[][] {
  return events.map(({ app, source, event, replyTo }) => {
    const index = indexes.get(app) as MatchingIndex
    return replyTo === null ? index.match(source, event) : index.answering(source, event)
  })
}

/** Why events cannot be matched: a filter that its source cannot read, or a matcher that threw. */
export interface Unmatchable {
  readonly error: unknown
}

export function matchOrError(events: readonly PreparedEvent[], indexes: Indexes): IndexedTrigger[][] | Unmatchable {
  try {
    return matchAll(events, indexes)
  } catch (error) {
    // The caller throws this error if the index is the latest.
    return { error }
  }
}
