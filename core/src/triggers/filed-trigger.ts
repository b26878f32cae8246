/** One trigger in an index: its filter as the source reads it, and the keys under which it is filed. */
import { KEYS, keysOfFilter } from '../contract/ask-source.ts'
import type { CompiledPattern } from '../patterns/pattern.ts'
import { isCompiledPattern } from '../patterns/pattern.ts'
import type { LoadedTriggerRow } from '../sql/triggers/load-triggers.ts'
import type { AnySource } from '../contract/source.ts'
import type { Single } from '../sql/emit/single.ts'
import { singleOf } from '../sql/emit/single.ts'
import type { TriggerSnapshot } from '../contract/trigger-snapshot.ts'

export interface IndexedTrigger {
  readonly id: string
  readonly name: string
  readonly filter: unknown
  readonly priority: number
  readonly ordered: boolean
  /** Null: the service. */
  readonly registrant: string | null
  readonly single: Single
  /** The JSON text that rows carry of the trigger, made at its first match. */
  readonly snapshot: string
}

export type StoredTrigger = LoadedTriggerRow & { readonly id: string }

export class FiledTrigger implements IndexedTrigger {
  // What a lookup reads of many triggers stands first, to be one fetch from memory.
  /** The last lookup that saw this trigger, which may be a candidate under several keys. */
  seenBy = 0
  readonly filter: unknown
  readonly id: string
  readonly name: string
  readonly priority: number
  readonly ordered: boolean
  readonly single: Single
  readonly source: string
  readonly registrant: string | null
  /** What core tests of the event's content, if the source leaves that to core. */
  readonly pattern: CompiledPattern | undefined
  /** The source's keys for the filter, or the stored ones if the source cannot read the filter. */
  readonly keys: readonly string[]
  /** Why the source cannot read the filter. Every emit that the trigger might match then fails (G2). */
  readonly broken: { readonly because: unknown } | undefined
  /** The trigger's keys are unknown too, so it might match every event of its source. */
  readonly isAnywhere: boolean
  readonly #app: string
  readonly #row: StoredTrigger
  readonly #carriesFilter: boolean
  #snapshot: string | undefined

  constructor(app: string, row: StoredTrigger, source: AnySource) {
    this.id = row.id
    this.name = row.name
    this.priority = row.priority
    this.ordered = row.ordered
    this.single = singleOf(row)
    this.source = source.name
    this.registrant = row.registrant
    this.#app = app
    this.#row = row
    this.#carriesFilter = source.bind !== undefined
    let isAnywhere = false
    try {
      this.filter = source.filter.parse(row.filter)
      this.keys = unique(keysOfFilter(source, this.filter))
      this.pattern = source.content === undefined ? undefined : patternOf(this.filter)
    } catch (error) {
      // One version of the plugin may refuse what another stored. Throwing here would fail every source.
      this.broken = { because: error }
      isAnywhere = !KEYS.is(row.keys)
      this.keys = KEYS.is(row.keys) ? unique(row.keys) : []
    }
    this.isAnywhere = isAnywhere
  }

  get snapshot(): string {
    return (this.#snapshot ??= JSON.stringify(this.#content()))
  }

  #content(): TriggerSnapshot {
    const { name, source, target, retry, timeout_ms, transactional, registrant, run_as } = this.#row
    return {
      app: this.#app,
      id: this.id,
      name,
      source,
      target,
      retry,
      timeoutMs: timeout_ms,
      registrant,
      ...(run_as === 'caller' ? { runAs: 'caller' } : {}),
      ...(transactional ? { transactional } : {}),
      ...(this.#carriesFilter ? { filter: this.#row.filter } : {}),
    }
  }
}

export function patternOf(filter: unknown): CompiledPattern | undefined {
  if (typeof filter !== 'object' || filter === null || !('pattern' in filter)) return undefined
  return isCompiledPattern(filter.pattern) ? filter.pattern : undefined
}

function unique(keys: readonly string[]): readonly string[] {
  return keys.length < 2 ? keys : [...new Set(keys)]
}
