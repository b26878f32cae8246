/**
 * The triggers of one app at one epoch, filed under the keys that their sources give. A lookup costs what the
 * few candidates cost that share a key with the event, however many triggers the app has.
 */
import { OutbusError } from '../errors.ts'
import type { LoadedTriggerRow } from '../sql/load-triggers.ts'
import type { AnySource } from '../source.ts'
import type { Single } from './single.ts'
import { singleOf } from './single.ts'
import type { TriggerSnapshot } from './snapshot.ts'

export interface IndexedTrigger {
  readonly id: string
  readonly name: string
  readonly priority: number
  readonly ordered: boolean
  readonly single: Single
  /** What the rows carry of the trigger, as JSON text. Made when the trigger first matches. */
  readonly snapshot: string
}

interface Filed extends IndexedTrigger {
  readonly filter: unknown
  /** Set where the source no longer takes the stored filter: every emit that it might concern fails and says so. */
  readonly broken: unknown
}

/** Where triggers go whose filter the source cannot read, so that no event passes them by unnoticed. */
const BROKEN = Symbol('broken')

export class MatchingIndex {
  readonly app: string
  readonly epoch: string
  readonly #bySource = new Map<string, Map<string | typeof BROKEN, Filed[]>>()

  constructor(app: string, epoch: string, rows: readonly LoadedTriggerRow[], sources: ReadonlyMap<string, AnySource>) {
    this.app = app
    this.epoch = epoch
    for (const row of rows) {
      // A trigger of a source that this process does not have can match nothing that this process emits.
      const source = sources.get(row.source)
      if (row.id !== null && source !== undefined) this.#file(source, row as LoadedTriggerRow & { id: string })
    }
  }

  /** Every trigger that matches, each once. A matcher that throws fails the emit; the error names plugin and trigger. */
  match(source: AnySource, event: { op: string }): IndexedTrigger[] {
    return this.#matching(source, event)
  }

  #matching(source: AnySource, event: { op: string }): Filed[] {
    const filed = this.#bySource.get(source.name)
    if (filed === undefined) return []
    const broken = filed.get(BROKEN)?.[0]
    if (broken !== undefined) throw pluginFailed(source, broken, 'cannot read the stored filter', broken.broken)
    const keys = callPlugin(source, 'keysOf', () => source.keysOf(event))
    const matched: Filed[] = []
    const seen = keys.length > 1 ? new Set<Filed>() : undefined
    for (const key of keys) {
      for (const candidate of filed.get(key) ?? []) {
        if (seen !== undefined) {
          if (seen.has(candidate)) continue
          seen.add(candidate)
        }
        if (matches(source, event, candidate)) matched.push(candidate)
      }
    }
    return matched
  }

  /**
   * Of a request: the one trigger that answers it, or none. The highest rank that the source gives, then the highest
   * priority, then the oldest trigger.
   */
  answering(source: AnySource, event: { op: string }): IndexedTrigger[] {
    const ranked = this.#matching(source, event).map((trigger) => {
      const rank = callPlugin(source, 'rank', () => source.rank?.({ event, filter: trigger.filter }) ?? 0)
      return { trigger, rank }
    })
    const [best] = ranked.toSorted(
      (a, b) => b.rank - a.rank || b.trigger.priority - a.trigger.priority || (a.trigger.id < b.trigger.id ? -1 : 1),
    )
    return best === undefined ? [] : [best.trigger]
  }

  #file(source: AnySource, row: LoadedTriggerRow & { id: string }): void {
    let filed = this.#bySource.get(source.name)
    if (filed === undefined) this.#bySource.set(source.name, (filed = new Map()))
    let keys: readonly (string | typeof BROKEN)[]
    let filter: unknown
    let broken: unknown
    try {
      filter = source.filter.parse(row.filter)
      keys = source.keys(filter)
    } catch (error) {
      // A newer version of the plugin may refuse what an older one stored. Failing here would fail every source.
      broken = error
      keys = [BROKEN]
    }
    const trigger = new FiledTrigger(this.app, row, filter, broken, source.bind !== undefined)
    for (const key of new Set(keys)) {
      const bucket = filed.get(key)
      if (bucket === undefined) filed.set(key, [trigger])
      else bucket.push(trigger)
    }
  }
}

class FiledTrigger implements Filed {
  readonly id: string
  readonly name: string
  readonly priority: number
  readonly ordered: boolean
  readonly single: Single
  readonly filter: unknown
  readonly broken: unknown
  readonly #app: string
  readonly #row: LoadedTriggerRow
  readonly #carriesFilter: boolean
  #snapshot: string | undefined

  constructor(
    app: string,
    row: LoadedTriggerRow & { id: string },
    filter: unknown,
    broken: unknown,
    carriesFilter: boolean,
  ) {
    this.id = row.id
    this.name = row.name
    this.priority = row.priority
    this.ordered = row.ordered
    this.single = singleOf(row)
    this.filter = filter
    this.broken = broken
    this.#app = app
    this.#row = row
    this.#carriesFilter = carriesFilter
  }

  get snapshot(): string {
    const { name, source, target, retry, timeout_ms, transactional, registrant } = this.#row
    const content: TriggerSnapshot = {
      app: this.#app,
      id: this.id,
      name,
      source,
      target,
      retry,
      timeoutMs: timeout_ms,
      registrant,
      ...(transactional ? { transactional } : {}),
      ...(this.#carriesFilter ? { filter: this.#row.filter } : {}),
    }
    return (this.#snapshot ??= JSON.stringify(content))
  }
}

function matches(source: AnySource, event: { op: string }, candidate: Filed): boolean {
  let matched: unknown
  try {
    matched = source.matches({ event, filter: candidate.filter })
  } catch (error) {
    throw pluginFailed(source, candidate, 'matches threw', error)
  }
  if (typeof matched !== 'boolean')
    throw pluginFailed(source, candidate, `matches returned ${typeof matched}, not a boolean`)
  return matched
}

function callPlugin<T>(source: AnySource, member: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw new OutbusError('source.failed', `source ${JSON.stringify(source.name)}: ${member} threw`, {
      path: member,
      cause: error,
    })
  }
}

function pluginFailed(source: AnySource, trigger: IndexedTrigger, what: string, cause?: unknown): OutbusError {
  return new OutbusError(
    'source.failed',
    `source ${JSON.stringify(source.name)}, trigger ${JSON.stringify(trigger.name)} (${trigger.id}): ${what}`,
    {
      path: 'matches',
      ...(cause === undefined ? {} : { cause }),
    },
  )
}
