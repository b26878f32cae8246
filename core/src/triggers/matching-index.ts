/**
 * The triggers of one app at one epoch. A lookup costs only the candidates that share a key, and their pattern's most
 * telling part, with the event.
 *
 * The next epoch shares the files and lays the changed triggers over them. After many changes they are put into the
 * files, which only the newer epoch then uses. So one more trigger costs one trigger, not all.
 */
import { withinSteps } from '../patterns/steps.ts'
import { askSource, CONTENT, keysOfEvent, RANK, YES_OR_NO } from '../contract/ask-source.ts'
import { isOutbusError, OutbusError } from '../errors.ts'
import type { JsonValue } from '../contract/json.ts'
import { nested } from '../patterns/nested.ts'
import type { LoadedTriggerRow } from '../sql/triggers/load-triggers.ts'
import type { Quotas } from '../contract/quotas.ts'
import { DEFAULT_QUOTAS } from '../contract/quotas.ts'
import { inSlices } from '../time/slices.ts'
import type { AnySource } from '../contract/source.ts'
import { FiledTrigger } from './filed-trigger.ts'
import type { IndexedTrigger, StoredTrigger } from './filed-trigger.ts'
import type { Lookup } from './trigger-files.ts'
import { TriggerFiles } from './trigger-files.ts'
import { isThenable } from '../validation/kinds.ts'

/** Undefined: the trigger is gone or disabled. */
export type TriggerChanges = ReadonlyMap<string, StoredTrigger | undefined>

const MAX_CHANGES_OVER = 64
/**
 * Changes that go into the same files, and more for each trigger. Patterns that are gone keep their places, so an app
 * that keeps making new triggers would fill the memory and slow each lookup.
 */
const MAX_CHANGES_IN_FILES = 10_000
const CHANGES_A_TRIGGER = 4

/** Undefined: the trigger is gone, or of a source that this process lacks. */
type FiledChanges = ReadonlyMap<string, FiledTrigger | undefined>

let lookups = 0

export class MatchingIndex {
  readonly app: string
  readonly epoch: string
  /** The app's quotas at this epoch, set by whoever loads the index. */
  quotas: Quotas = DEFAULT_QUOTAS
  readonly #sources: ReadonlyMap<string, AnySource>
  readonly #files: SharedFiles
  readonly #turn: number
  readonly #changes: FiledChanges
  /** The changed triggers that are there. */
  readonly #over: TriggerFiles

  constructor(
    app: string,
    epoch: string,
    rows: readonly LoadedTriggerRow[],
    sources: ReadonlyMap<string, AnySource>,
    following?: { readonly files: SharedFiles; readonly changes: FiledChanges; readonly over: TriggerFiles },
  ) {
    this.app = app
    this.epoch = epoch
    this.#sources = sources
    this.#files = following?.files ?? { turn: 0, changes: 0, triggers: new TriggerFiles() }
    const files = this.#files.triggers
    for (const row of rows) putInto(files, this.#filed(row))
    this.#turn = this.#files.turn
    this.#changes = following?.changes ?? new Map()
    this.#over = following?.over ?? new TriggerFiles()
  }

  /** In slices: there may be ten thousand triggers, and a filter may take milliseconds. */
  static async load(
    app: string,
    epoch: string,
    rows: readonly LoadedTriggerRow[],
    sources: ReadonlyMap<string, AnySource>,
    filesPatterns = true,
  ): Promise<MatchingIndex> {
    const files = { turn: 0, changes: 0, triggers: new TriggerFiles(filesPatterns) }
    const index = new MatchingIndex(app, epoch, [], sources, { files, changes: new Map(), over: new TriggerFiles() })
    await inSlices(rows, (row) => putInto(index.#files.triggers, index.#filed(row)))
    return index
  }

  /** False once a later epoch has taken over the files. The index then answers nothing. */
  get usable(): boolean {
    return this.#turn === this.#files.turn
  }

  /** At most how many triggers there are: one that changed lately may count twice. */
  get size(): number {
    return this.#files.triggers.size + this.#over.size
  }

  /**
   * The index of a later epoch, by what has changed, made in slices. Undefined if the index has to be loaded: another
   * epoch has taken over the files, or they have had too many changes.
   */
  async followedBy(epoch: string, changed: TriggerChanges): Promise<MatchingIndex | undefined> {
    const changes = new Map(this.#changes)
    await inSlices(changed, ([id, row]) => void changes.set(id, row === undefined ? undefined : this.#filed(row)))
    if (!this.usable) return undefined
    const files = this.#files
    const over = new TriggerFiles()
    const following = (lying: FiledChanges) =>
      new MatchingIndex(this.app, epoch, [], this.#sources, { files, changes: lying, over })
    if (changes.size <= MAX_CHANGES_OVER) {
      await inSlices(changes.values(), (trigger) => putInto(over, trigger))
      return this.usable ? following(changes) : undefined
    }
    files.changes += changes.size
    if (files.changes > MAX_CHANGES_IN_FILES + CHANGES_A_TRIGGER * files.triggers.size) return undefined
    // From here on no earlier epoch can use the files, and nobody else until they are this one's.
    files.turn++
    await inSlices(changes, ([id, trigger]) => {
      if (trigger === undefined) files.triggers.delete(id)
      else files.triggers.put(trigger)
    })
    return following(new Map())
  }

  #filed(row: LoadedTriggerRow): FiledTrigger | undefined {
    if (row.id === null) return undefined
    const source = this.#sources.get(row.source)
    return source === undefined ? undefined : new FiledTrigger(this.app, row as StoredTrigger, source)
  }

  unreadable(): FiledTrigger[] {
    const filed = [...this.#files.triggers.broken].filter(({ id }) => !this.#changes.has(id))
    return [...filed, ...this.#over.broken]
  }

  /** Every trigger that matches, once. If a matcher throws, the emit fails, with plugin and trigger in the error. */
  match(source: AnySource, event: { op: string }): IndexedTrigger[] {
    return this.#matching(source, event)
  }

  /** The one trigger that answers a request, or none: by the source's rank, then by priority, then the oldest. */
  answering(source: AnySource, event: { op: string }): IndexedTrigger[] {
    const ranked = this.#matching(source, event).map((trigger) => {
      const rank = askSource(source, 'rank', () => source.rank?.({ event, filter: trigger.filter }) ?? 0, RANK)
      return { trigger, rank }
    })
    const [best] = ranked.toSorted(
      (a, b) => b.rank - a.rank || b.trigger.priority - a.trigger.priority || (a.trigger.id < b.trigger.id ? -1 : 1),
    )
    return best === undefined ? [] : [best.trigger]
  }

  #matching(source: AnySource, event: { op: string }): FiledTrigger[] {
    if (!this.usable) throw new Error('this index was followed by another one that has taken its files over')
    const files = this.#files.triggers
    this.#assertReadable(source)
    if (!files.has(source.name) && this.#changes.size === 0) return []
    const lookup = new EventLookup(source, event)
    const id = ++lookups
    const matched: FiledTrigger[] = []
    const visit = (candidate: FiledTrigger) => {
      if (candidate.seenBy === id) return
      candidate.seenBy = id
      if (candidate.broken !== undefined) throw unreadable(source, candidate)
      if (matches(source, event, candidate) && reaches(source, event, candidate)) matched.push(candidate)
    }
    withinSteps(() => {
      const changes = this.#changes
      if (changes.size === 0) files.visit(source.name, lookup, visit)
      else {
        files.visit(source.name, lookup, (candidate) => {
          if (!changes.has(candidate.id)) visit(candidate)
        })
        this.#over.visit(source.name, lookup, visit)
      }
    })
    return matched
  }

  /** A trigger without known keys might match any event, and no lookup would find it. */
  #assertReadable(source: AnySource): void {
    const over = this.#over.anywhere
    const files = this.#files.triggers.anywhere
    if (over.size === 0 && files.size === 0) return
    for (const trigger of over) if (trigger.source === source.name) throw unreadable(source, trigger)
    for (const trigger of files)
      if (trigger.source === source.name && !this.#changes.has(trigger.id)) throw unreadable(source, trigger)
  }
}

/** `turn` counts the take-overs by later epochs. */
interface SharedFiles {
  turn: number
  /** How many changes were put into them. */
  changes: number
  readonly triggers: TriggerFiles
}

function putInto(files: TriggerFiles, trigger: FiledTrigger | undefined): void {
  if (trigger !== undefined) files.put(trigger)
}

class EventLookup implements Lookup {
  readonly keys: readonly string[]
  readonly #source: AnySource
  readonly #event: { op: string }
  #content: { readonly value: JsonValue | undefined } | undefined

  constructor(source: AnySource, event: { op: string }) {
    this.#source = source
    this.#event = event
    this.keys = keysOfEvent(source, event)
  }

  content(): JsonValue | undefined {
    return (this.#content ??= { value: this.#askContent() }).value
  }

  #askContent(): JsonValue | undefined {
    const content = askSource(this.#source, 'content', () => this.#source.content?.(this.#event), CONTENT)
    return content === undefined ? undefined : nested(content as JsonValue)
  }
}

function matches(source: AnySource, event: { op: string }, candidate: FiledTrigger): boolean {
  let matched: unknown
  try {
    matched = source.matches({ event, filter: candidate.filter })
  } catch (error) {
    // An event that takes too many steps is not this trigger's fault.
    if (isOutbusError(error, 'pattern.too_complex')) throw error
    throw pluginFailed(source, candidate, 'matches threw', error)
  }
  if (typeof matched !== 'boolean')
    throw pluginFailed(
      source,
      candidate,
      `matches returned ${isThenable(matched) ? 'a promise' : typeof matched}, not true or false`,
    )
  return matched
}

/** Whether the trigger may hear of the event. Asked last, because most sources' events belong to nobody. */
function reaches(source: AnySource, event: { op: string }, { registrant }: FiledTrigger): boolean {
  if (source.reaches === undefined) return true
  const ask = () => source.reaches?.({ event, registrant: registrant ?? undefined })
  return askSource(source, 'reaches', ask, YES_OR_NO)
}

/** The trigger may want the event, and a row not written now would be missing for ever (G2). */
function unreadable(source: AnySource, trigger: FiledTrigger): OutbusError {
  const hint = `emit it with the version that wrote the filter, or change, disable or delete trigger ${trigger.id}`
  return pluginFailed(source, trigger, 'cannot read the stored filter', trigger.broken?.because, hint)
}

function pluginFailed(
  source: AnySource,
  trigger: IndexedTrigger,
  what: string,
  cause?: unknown,
  hint?: string,
): OutbusError {
  return new OutbusError(
    'source.failed',
    `source ${JSON.stringify(source.name)}, trigger ${JSON.stringify(trigger.name)} (${trigger.id}): ${what}`,
    {
      path: 'matches',
      ...(cause === undefined ? {} : { cause }),
      ...(hint === undefined ? {} : { hint }),
    },
  )
}
