/**
 * Matching indexes by app and epoch. An epoch names one content of an app's triggers for ever, so an entry is never
 * wrong, only unused. The emit statement says which epoch it sees, and the cache finds or loads that one.
 *
 * An epoch is a number, for the order, and a random token (`content_id`), because a restored or reset database hands
 * out numbers again (G22).
 */
import type { Plugins } from '../plugins/plugins.ts'
import type { Quotas } from '../contract/quotas.ts'
import { statedBy } from '../contract/quotas.ts'
import type { LoadedTriggerRow } from '../sql/triggers/load-triggers.ts'
import { loadTriggers } from '../sql/triggers/load-triggers.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { TriggerChangeRow } from '../sql/triggers/trigger-changes.ts'
import { loadTriggerChanges } from '../sql/triggers/trigger-changes.ts'
import type { StoredTrigger } from './filed-trigger.ts'
import { MatchingIndex } from './matching-index.ts'
import type { UnreadableTriggers } from './unreadable.ts'

/** The least recently used app goes first. */
const MAX_APPS = 10_000
/** Several are in use only while a transaction has changed triggers itself, or an old snapshot is open. */
const EPOCHS_PER_APP = 3

/** The epoch of an app that has none in the database, and so no triggers. */
export const NO_TRIGGERS_EPOCH = '0'

export class IndexCache {
  readonly #sql: Sql
  readonly #plugins: Plugins
  /** Latest use last, of apps and of epochs. */
  readonly #byApp = new Map<string, MatchingIndex[]>()

  readonly #defaults: Quotas

  readonly #unreadable: Pick<UnreadableTriggers, 'seen'>
  readonly #filesPatterns: boolean

  constructor(
    sql: Sql,
    plugins: Plugins,
    defaults: Quotas,
    unreadable: Pick<UnreadableTriggers, 'seen'>,
    filesPatterns: boolean,
  ) {
    this.#filesPatterns = filesPatterns
    this.#sql = sql
    this.#plugins = plugins
    this.#defaults = defaults
    this.#unreadable = unreadable
  }

  /** The index used last. The emit statement notices if triggers have changed since. */
  latest(app: string): MatchingIndex | undefined {
    return this.#byApp.get(app)?.findLast(({ usable }) => usable)
  }

  /** Makes the index the latest, if it is cached. */
  at(app: string, epoch: string): MatchingIndex | undefined {
    const index = this.#usable(app).find((candidate) => candidate.epoch === epoch)
    if (index !== undefined) this.#keep(app, index)
    return index
  }

  /**
   * Loads what `on` sees: within a transaction, its own triggers and snapshot. One round trip brings what changed since
   * a cached index. If none led to it, a second one brings all triggers.
   */
  async load(app: string, on: Queryable): Promise<MatchingIndex> {
    const known = this.#usable(app)
    const changes =
      known.length === 0 ? [] : await this.#sql.run(on, loadTriggerChanges, [app, known.map(({ epoch }) => epoch)])
    // Looked up again, because another load may have taken over that index's files.
    const before = this.#usable(app).find(({ epoch }) => epoch === changes[0]?.since)
    const index = (before && (await this.#following(before, changes))) ?? (await this.#loadAll(app, on))
    this.#keep(app, index)
    this.#unreadable.seen(app, index.unreadable())
    return index
  }

  async #loadAll(app: string, on: Queryable): Promise<MatchingIndex> {
    const rows = await this.#sql.run(on, loadTriggers, [app])
    return this.#withQuotas(
      await MatchingIndex.load(
        app,
        rows[0]?.epoch ?? NO_TRIGGERS_EPOCH,
        rows,
        this.#plugins.sources,
        this.#filesPatterns,
      ),
      rows,
    )
  }

  async #following(before: MatchingIndex, rows: readonly TriggerChangeRow[]): Promise<MatchingIndex | undefined> {
    const index = await following(before, rows)
    return index && this.#withQuotas(index, rows)
  }

  #withQuotas(index: MatchingIndex, [row]: readonly LoadedTriggerRow[]): MatchingIndex {
    index.quotas = { ...this.#defaults, ...statedBy(row?.quotas) }
    return index
  }

  #usable(app: string): MatchingIndex[] {
    return (this.#byApp.get(app) ?? []).filter(({ usable }) => usable)
  }

  #keep(app: string, index: MatchingIndex): void {
    const others = this.#usable(app).filter((other) => other.epoch !== index.epoch)
    this.#byApp.delete(app)
    this.#byApp.set(app, [...others.slice(1 - EPOCHS_PER_APP), index])
    if (this.#byApp.size > MAX_APPS) {
      const oldest = this.#byApp.keys().next().value
      if (oldest !== undefined) this.#byApp.delete(oldest)
    }
  }
}

function following(before: MatchingIndex, rows: readonly TriggerChangeRow[]): Promise<MatchingIndex | undefined> {
  const changes = new Map<string, StoredTrigger | undefined>()
  for (const row of rows) {
    if (row.changed !== null) changes.set(row.changed, row.id === null ? undefined : (row as StoredTrigger))
  }
  const { epoch } = rows[0] as TriggerChangeRow
  return before.followedBy(epoch, changes)
}
