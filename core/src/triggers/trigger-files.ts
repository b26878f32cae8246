/** Triggers filed by their sources' keys and, within a key, by their patterns. */
import type { JsonValue } from '../contract/json.ts'
import { PatternIndex } from '../patterns/pattern-index.ts'
import { TextMultiMap } from '../patterns/multi-map.ts'
import type { FiledTrigger } from './filed-trigger.ts'

/** What a lookup asks the event's source, each at most once. */
export interface Lookup {
  readonly keys: readonly string[]
  content(): JsonValue | undefined
}

type Visit = (trigger: FiledTrigger) => void
type PatternFolder = PatternIndex<FiledTrigger>

export class TriggerFiles {
  readonly #byId = new Map<string, FiledTrigger>()
  readonly #bySource = new Map<string, SourceFiles>()
  readonly #broken = new Set<FiledTrigger>()
  readonly #anywhere = new Set<FiledTrigger>()
  readonly #filesPatterns: boolean

  /** Without `filesPatterns`, a lookup tests each pattern under its keys. */
  constructor(filesPatterns = true) {
    this.#filesPatterns = filesPatterns
  }

  /** Adds or replaces the trigger. */
  put(trigger: FiledTrigger): void {
    this.delete(trigger.id)
    this.#byId.set(trigger.id, trigger)
    if (trigger.broken !== undefined) this.#broken.add(trigger)
    if (trigger.isAnywhere) this.#anywhere.add(trigger)
    let files = this.#bySource.get(trigger.source)
    if (files === undefined) this.#bySource.set(trigger.source, (files = new SourceFiles(this.#filesPatterns)))
    for (const key of trigger.keys) files.put(key, trigger)
  }

  delete(id: string): void {
    const trigger = this.#byId.get(id)
    if (trigger === undefined) return
    this.#byId.delete(id)
    this.#broken.delete(trigger)
    this.#anywhere.delete(trigger)
    for (const key of trigger.keys) this.#bySource.get(trigger.source)?.delete(key, trigger)
  }

  has(source: string): boolean {
    return this.#bySource.has(source)
  }

  get size(): number {
    return this.#byId.size
  }

  get broken(): ReadonlySet<FiledTrigger> {
    return this.#broken
  }

  /** Broken triggers that no lookup finds, although they might match. */
  get anywhere(): ReadonlySet<FiledTrigger> {
    return this.#anywhere
  }

  /** Visits every trigger whose keys and pattern fit, some several times. */
  visit(source: string, lookup: Lookup, visit: Visit): void {
    this.#bySource.get(source)?.visit(lookup, visit)
  }
}

class SourceFiles {
  readonly #plain = new TextMultiMap<FiledTrigger>()
  readonly #patterned = new TextMultiMap<PatternFolder>()
  readonly #folders = new Map<string, PatternFolder>()
  readonly #filesPatterns: boolean

  constructor(filesPatterns: boolean) {
    this.#filesPatterns = filesPatterns
  }

  put(key: string, trigger: FiledTrigger): void {
    if (trigger.pattern === undefined) {
      this.#plain.add(key, trigger)
      return
    }
    let folder = this.#folders.get(key)
    if (folder === undefined) {
      this.#folders.set(key, (folder = new PatternIndex(this.#filesPatterns)))
      this.#patterned.add(key, folder)
    }
    folder.add(trigger.pattern, trigger)
  }

  delete(key: string, trigger: FiledTrigger): void {
    if (trigger.pattern === undefined) {
      this.#plain.delete(key, trigger)
      return
    }
    const folder = this.#folders.get(key)
    folder?.delete(trigger)
    if (folder?.size !== 0) return
    this.#folders.delete(key)
    this.#patterned.delete(key, folder)
  }

  visit(lookup: Lookup, visit: Visit): void {
    const visitFolder = (folder: PatternFolder) => {
      const content = lookup.content()
      if (content !== undefined) folder.visit(content, visit)
    }
    // An event has many keys, and most sources have triggers of one kind only.
    const hasPlain = this.#plain.size > 0
    const hasPatterns = this.#folders.size > 0
    for (const key of lookup.keys) {
      if (hasPlain) this.#plain.visitPart(key, 0, key.length, visit)
      if (hasPatterns) this.#patterned.visitPart(key, 0, key.length, visitFolder)
    }
  }
}
