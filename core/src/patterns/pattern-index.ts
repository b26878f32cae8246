/**
 * Many patterns at once: which of them an event could match. Each is filed under one thing that must be true of an event for
 * it to match, the one that it shares with the fewest others so far; a lookup visits the paths at which something is filed.
 * What is found is a candidate: `Pattern.test` decides. Pure.
 */
import { Bag } from '../bag.ts'
import type { JsonPrimitive, JsonValue } from '../json.ts'
import type { CompiledPattern, EventObject, Leaf } from './pattern.ts'
import { isObject, own } from './pattern.ts'
import { folded } from './values.ts'

/** A path at which nothing is filed yet costs every lookup a little, so it has to be worth this many candidates. */
const COST_OF_A_PATH = 4
/** Above this many members the event's own are looked through, if they are fewer. */
const MANY_MEMBERS = 16

export class PatternIndex<T> {
  readonly #root = new Place<T>()
  /** Those that an event need not have anything for. */
  readonly #always = new Set<T>()
  readonly #filedIn = new Map<T, (Set<T> | Bag<T>)[]>()

  get size(): number {
    return this.#filedIn.size
  }

  add(pattern: CompiledPattern, item: T): void {
    const filedIn = new Set<Set<T> | Bag<T>>()
    for (const rule of pattern.rules) {
      const leaf = this.#mostTelling(rule)
      const places = leaf === undefined ? [this.#always] : this.#at(leaf.members).file(leaf)
      for (const place of places) {
        if (!filedIn.has(place)) place.add(item)
        filedIn.add(place)
      }
    }
    this.#filedIn.set(item, [...filedIn])
  }

  delete(item: T): void {
    // What is empty now stays where it is: its key is likely to be used again, and the index is rebuilt now and then.
    for (const place of this.#filedIn.get(item) ?? []) place.delete(item)
    this.#filedIn.delete(item)
  }

  /** Calls `visit` with every item that could match, some of them several times. The event is `nested` already. */
  visit(event: JsonValue, visit: (item: T) => void): void {
    for (const item of this.#always) visit(item)
    if (isObject(event)) visitObject(event, this.#root, visit)
  }

  #mostTelling(rule: readonly Leaf[]): Leaf | undefined {
    let best: Leaf | undefined
    let least = Infinity
    for (const leaf of rule) {
      if (leaf.needs.nothing) continue
      const place = this.#find(leaf.members)
      const cost = place === undefined ? COST_OF_A_PATH + emptyCost(leaf) : place.cost(leaf)
      if (cost < least) {
        least = cost
        best = leaf
      }
    }
    return best
  }

  #find(members: readonly string[]): Place<T> | undefined {
    let place: Place<T> | undefined = this.#root
    for (const name of members) place = place?.members.get(name)
    return place
  }

  #at(members: readonly string[]): Place<T> {
    let place = this.#root
    for (const name of members) {
      let next = place.members.get(name)
      if (next === undefined) place.members.set(name, (next = new Place()))
      place = next
    }
    return place
  }
}

/** Where nothing is filed: what says least of a value goes last. */
function emptyCost({ needs }: Leaf): number {
  return needs.other ? 1 : 0
}

/** What is filed at one path. */
class Place<T> {
  readonly members = new Map<string, Place<T>>()
  readonly exact = new Map<JsonPrimitive, Bag<T>>()
  readonly foldedExact = new Map<string, Bag<T>>()
  readonly prefixes = new Affixes<T>()
  readonly suffixes = new Affixes<T>()
  /** Those that only ask for a value. */
  readonly present = new Set<T>()

  /** The most that a lookup which finds the leaf finds beside it. */
  cost(leaf: Leaf): number {
    const { exact, foldedExact, prefixes, suffixes, other } = leaf.needs
    if (other) return this.present.size + emptyCost(leaf)
    let most = 0
    const see = (bag: Bag<T> | undefined) => (most = Math.max(most, bag?.size ?? 0))
    for (const value of exact) see(this.exact.get(value))
    for (const value of foldedExact) see(this.foldedExact.get(value))
    for (const value of prefixes) see(this.prefixes.byText.get(value))
    for (const value of suffixes) see(this.suffixes.byText.get(value))
    return most
  }

  file({ needs }: Leaf): (Set<T> | Bag<T>)[] {
    if (needs.other) return [this.present]
    return [
      ...needs.exact.map((value) => bagAt(this.exact, value)),
      ...needs.foldedExact.map((value) => bagAt(this.foldedExact, value)),
      ...needs.prefixes.map((value) => this.prefixes.at(value)),
      ...needs.suffixes.map((value) => this.suffixes.at(value)),
    ]
  }
}

/** Beginnings, or ends, by their text, and which lengths they have. */
class Affixes<T> {
  readonly byText = new Map<string, Bag<T>>()
  readonly lengths: number[] = []

  at(text: string): Bag<T> {
    if (!this.lengths.includes(text.length)) this.lengths.push(text.length)
    return bagAt(this.byText, text)
  }
}

function bagAt<K, T>(bags: Map<K, Bag<T>>, key: K): Bag<T> {
  let bag = bags.get(key)
  if (bag === undefined) bags.set(key, (bag = new Bag()))
  return bag
}

function visitObject<T>(event: EventObject, place: Place<T>, visit: (item: T) => void): void {
  const { members } = place
  if (members.size > MANY_MEMBERS) {
    for (const name of Object.keys(event)) {
      const within = members.get(name)
      if (within !== undefined) visitValue(event[name] as JsonValue, within, visit)
    }
    return
  }
  for (const [name, within] of members) {
    const value = own(event, name)
    if (value !== undefined) visitValue(value, within, visit)
  }
}

function visitValue<T>(value: JsonValue, place: Place<T>, visit: (item: T) => void): void {
  if (Array.isArray(value)) for (const one of value) visitValue(one, place, visit)
  else if (isObject(value)) visitObject(value, place, visit)
  else visitPrimitive(value, place, visit)
}

function visitPrimitive<T>(value: JsonPrimitive, place: Place<T>, visit: (item: T) => void): void {
  const { exact, foldedExact, prefixes, suffixes, present } = place
  exact.get(value)?.visit(visit)
  for (const item of present) visit(item)
  if (typeof value !== 'string') return
  if (foldedExact.size > 0) foldedExact.get(folded(value))?.visit(visit)
  for (const length of prefixes.lengths)
    if (length <= value.length) prefixes.byText.get(value.slice(0, length))?.visit(visit)
  for (const length of suffixes.lengths)
    if (length <= value.length) suffixes.byText.get(value.slice(value.length - length))?.visit(visit)
}
