/** Triggers filed under the keys that their sources give, and, under each key, by their patterns. */
import { Bag } from '../bag.ts'
import type { JsonValue } from '../json.ts'
import { PatternIndex } from '../patterns/pattern-index.ts'
import type { FiledTrigger } from './filed-trigger.ts'

/** What a lookup asks an event's source for, each at most once. */
export interface Lookup {
  readonly keys: readonly string[]
  content(): JsonValue | undefined
}

type Visit = (trigger: FiledTrigger) => void

export class TriggerFiles {
  readonly #byId = new Map<string, FiledTrigger>()
  readonly #bySource = new Map<string, SourceFiles>()
  readonly #broken = new Set<FiledTrigger>()

  /** The trigger as it is now; it may be there already. */
  put(trigger: FiledTrigger): void {
    this.delete(trigger.id)
    this.#byId.set(trigger.id, trigger)
    if (trigger.broken !== undefined) this.#broken.add(trigger)
    let files = this.#bySource.get(trigger.source)
    if (files === undefined) this.#bySource.set(trigger.source, (files = new SourceFiles()))
    for (const key of trigger.keys) files.put(key, trigger)
  }

  delete(id: string): void {
    const trigger = this.#byId.get(id)
    if (trigger === undefined) return
    this.#byId.delete(id)
    this.#broken.delete(trigger)
    for (const key of trigger.keys) this.#bySource.get(trigger.source)?.delete(key, trigger)
  }

  has(source: string): boolean {
    return this.#bySource.has(source)
  }

  *broken(source: string): Generator<FiledTrigger> {
    for (const trigger of this.#broken) if (trigger.source === source) yield trigger
  }

  /** Every trigger that could match, some of them several times. */
  visit(source: string, lookup: Lookup, visit: Visit): void {
    this.#bySource.get(source)?.visit(lookup, visit)
  }
}

class SourceFiles {
  readonly #folders = new Map<string, Folder>()
  /** How many keys of each shape there are. An event has many keys that nothing is filed under: most are told by this. */
  readonly #shapes = new Map<number, number>()

  put(key: string, trigger: FiledTrigger): void {
    let folder = this.#folders.get(key)
    if (folder === undefined) {
      this.#folders.set(key, (folder = new Folder()))
      this.#shapes.set(shapeOf(key), (this.#shapes.get(shapeOf(key)) ?? 0) + 1)
    }
    folder.put(trigger)
  }

  delete(key: string, trigger: FiledTrigger): void {
    const folder = this.#folders.get(key)
    folder?.delete(trigger)
    if (folder?.isEmpty !== true) return
    this.#folders.delete(key)
    const shapes = (this.#shapes.get(shapeOf(key)) as number) - 1
    if (shapes === 0) this.#shapes.delete(shapeOf(key))
    else this.#shapes.set(shapeOf(key), shapes)
  }

  visit(lookup: Lookup, visit: Visit): void {
    for (const key of lookup.keys) if (this.#shapes.has(shapeOf(key))) this.#folders.get(key)?.visit(lookup, visit)
  }
}

/** First character and length: cheap to tell, where a lookup among many keys has to hash the text. */
function shapeOf(key: string): number {
  return key === '' ? 0 : key.charCodeAt(0) * 4_096 + Math.min(key.length, 4_095)
}

/** What is filed under one key. */
class Folder {
  readonly #plain = new Bag<FiledTrigger>()
  #byPattern: PatternIndex<FiledTrigger> | undefined

  get isEmpty(): boolean {
    return this.#plain.size === 0 && (this.#byPattern?.size ?? 0) === 0
  }

  put(trigger: FiledTrigger): void {
    if (trigger.pattern === undefined) this.#plain.add(trigger)
    else (this.#byPattern ??= new PatternIndex()).add(trigger.pattern, trigger)
  }

  delete(trigger: FiledTrigger): void {
    if (trigger.pattern === undefined) this.#plain.delete(trigger)
    else this.#byPattern?.delete(trigger)
  }

  visit(lookup: Lookup, visit: Visit): void {
    this.#plain.visit(visit)
    if (this.#byPattern === undefined) return
    const content = lookup.content()
    if (content !== undefined) this.#byPattern.visit(content, visit)
  }
}
