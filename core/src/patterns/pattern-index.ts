/**
 * Finds which of many patterns match an event. Each is filed under one thing that a matching event must have: the one
 * shared with the fewest others so far. A lookup visits the paths where something is filed, then tests the rest.
 * Patterns with the same rest share its test, because a lookup among many waits for memory. Pure.
 */
import type { JsonPrimitive, JsonValue } from '../contract/json.ts'
import { MultiMap, TextMultiMap } from './multi-map.ts'
import type { EventObject, Leaf, Needs } from './leaf.ts'
import { isObject, needsOf } from './leaf.ts'
import type { CompiledPattern, ObjectTest } from './pattern.ts'
import { compileRule, own } from './pattern.ts'
import { takeSteps } from './steps.ts'
import { folded } from './value-tests.ts'

/** A new path costs every lookup a little, so it has to save so many candidates. */
const COST_OF_A_PATH = 4
/** Above this many members, the event's own are looked through if they are fewer. */
const MANY_MEMBERS = 16

interface Whole {
  readonly test: (event: JsonValue) => boolean
  /** The last lookup that ran the test, and its result. */
  testedBy: number
  isTrue: boolean
}

/** One rule of an item's pattern. */
interface Filed<T> {
  readonly item: T
  readonly whole: Whole
  /** The last lookup that found this, since one test covers every place of a list. */
  foundBy: number
  /** What is left to test after its leaf. Undefined: the leaf does not say enough. */
  readonly rest: Rest | undefined
  /** Undefined: filed in `#always`. */
  readonly at: { readonly place: Place<T>; readonly leaf: Leaf } | undefined
}

interface Rest {
  readonly asked: string
  readonly test: ObjectTest
  users: number
  /** As in {@link Whole}. */
  testedBy: number
  isTrue: boolean
}

export class PatternIndex<T> {
  readonly #root = new Place<T>()
  /** Patterns that a match may have nothing for. */
  readonly #always = new Set<Filed<T>>()
  readonly #filed = new Map<T, Filed<T>[]>()
  /** Keyed by what they ask for, as text. */
  readonly #rests = new Map<string, Rest>()
  readonly #files: boolean
  #lookup = 0

  /** Without `files`, a lookup tests each pattern. */
  constructor(files = true) {
    this.#files = files
  }

  get size(): number {
    return this.#filed.size
  }

  add(pattern: CompiledPattern, item: T): void {
    const whole: Whole = { test: pattern.testNested, testedBy: 0, isTrue: false }
    this.#filed.set(
      item,
      pattern.rules.map((rule) => this.#file(whole, rule, item)),
    )
  }

  delete(item: T): void {
    for (const filed of this.#filed.get(item) ?? []) {
      const { at, rest } = filed
      // An empty place stays: its key is likely to come again, and the index is rebuilt now and then.
      if (at === undefined) this.#always.delete(filed)
      else at.place.take(at.leaf, filed)
      if (rest !== undefined && --rest.users === 0) this.#rests.delete(rest.asked)
    }
    this.#filed.delete(item)
  }

  /** Calls `visit` with each item whose pattern matches, perhaps several times. The event is `nested` already. */
  visit(event: JsonValue, visit: (item: T) => void): void {
    const lookup = ++this.#lookup
    // Each test runs once a lookup, whatever leads to it.
    const isTrue = (test: Whole | Rest, of: EventObject) => {
      if (test.testedBy !== lookup) {
        test.testedBy = lookup
        test.isTrue = test.test(of)
      }
      return test.isTrue
    }
    for (const { item, whole } of this.#always) if (isTrue(whole, event as EventObject)) visit(item)
    if (!isObject(event)) return
    const found = (filed: Filed<T>, isEnough: boolean) => {
      takeSteps(1)
      if (filed.foundBy === lookup) return
      filed.foundBy = lookup
      const { item, whole, rest } = filed
      if (isTrue(isEnough && rest !== undefined ? rest : whole, event)) visit(item)
    }
    visitObject(event, this.#root, false, lookup, found)
  }

  #file(whole: Whole, rule: readonly Leaf[], item: T): Filed<T> {
    const leaf = this.#files ? this.#mostTelling(rule) : undefined
    if (leaf === undefined) {
      const filed: Filed<T> = { item, whole, foundBy: 0, rest: undefined, at: undefined }
      this.#always.add(filed)
      return filed
    }
    const place = this.#at(leaf.members)
    const rest = needsOf(leaf).enough ? this.#restOf(rule.filter((other) => other !== leaf)) : undefined
    const filed: Filed<T> = { item, whole, foundBy: 0, rest, at: { place, leaf } }
    place.file(leaf, filed)
    return filed
  }

  #restOf(leaves: readonly Leaf[]): Rest {
    const asked = JSON.stringify(leaves.map(({ members, wanted }) => [members, wanted]))
    let rest = this.#rests.get(asked)
    if (rest === undefined)
      this.#rests.set(asked, (rest = { asked, test: compileRule(leaves), users: 0, testedBy: 0, isTrue: false }))
    rest.users++
    return rest
  }

  #mostTelling(rule: readonly Leaf[]): Leaf | undefined {
    let best: Leaf | undefined
    let least = Infinity
    for (const leaf of rule) {
      const needs = needsOf(leaf)
      if (needs.nothing) continue
      const place = this.#find(leaf.members)
      const cost = place === undefined ? COST_OF_A_PATH + emptyCost(needs) : place.cost(needs)
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

/** Of empty places, the one that says least of a value comes last. */
function emptyCost(needs: Needs): number {
  return needs.other ? 1 : 0
}

class Place<T> {
  readonly members = new Map<string, Place<T>>()
  readonly exact = new MultiMap<JsonPrimitive, Filed<T>>()
  readonly foldedExact = new MultiMap<string, Filed<T>>()
  readonly prefixes = new Affixes<Filed<T>>()
  readonly suffixes = new Affixes<Filed<T>>()
  /** Patterns that only ask for a value. */
  readonly present = new Set<Filed<T>>()
  /** The last lookup that visited `present`: any value leads to all of them. */
  presentBy = 0

  /** The most neighbours that a lookup finds together with the leaf. */
  cost(needs: Needs): number {
    if (needs.other) return this.present.size + emptyCost(needs)
    let most = 0
    this.#eachMap(needs, (map, key) => (most = Math.max(most, map.countAt(key))))
    return most
  }

  file(leaf: Leaf, filed: Filed<T>): void {
    const needs = needsOf(leaf)
    if (needs.other) this.present.add(filed)
    else this.#eachMap(needs, (map, key) => map.add(key, filed))
  }

  take(leaf: Leaf, filed: Filed<T>): void {
    const needs = needsOf(leaf)
    if (needs.other) this.present.delete(filed)
    else this.#eachMap(needs, (map, key) => map.delete(key, filed))
  }

  #eachMap(needs: Needs, visit: <K extends JsonPrimitive>(map: MultiMapOf<K, T>, key: K) => void): void {
    for (const value of needs.exact) visit(this.exact, value)
    for (const text of needs.foldedExact) visit(this.foldedExact, text)
    for (const text of needs.prefixes) visit(this.prefixes, text)
    for (const text of needs.suffixes) visit(this.suffixes, text)
  }
}

type MultiMapOf<K, T> = Pick<MultiMap<K, Filed<T>>, 'countAt' | 'add' | 'delete'>

class Affixes<T extends object> extends TextMultiMap<T> {
  readonly #known = new Set<number>()
  #lengths: readonly number[] | undefined = []

  /** Shortest first, so that a short value ends the search. Sorted on demand: there may be thousands. */
  get lengths(): readonly number[] {
    return (this.#lengths ??= [...this.#known].toSorted((a, b) => a - b))
  }

  override add(text: string, item: T): void {
    if (!this.#known.has(text.length)) {
      this.#known.add(text.length)
      this.#lengths = undefined
    }
    super.add(text, item)
  }
}

/** `isEnough`: what was found is true of the event, not only of one of several objects in a list. */
type Found<T> = (filed: Filed<T>, isEnough: boolean) => void

/** From this many values on, a list is visited once for each distinct value. */
const MANY_VALUES = 16

function visitObject<T>(event: EventObject, place: Place<T>, inList: boolean, lookup: number, found: Found<T>): void {
  const { members } = place
  if (members.size > MANY_MEMBERS) {
    for (const name of Object.keys(event)) {
      const within = members.get(name)
      if (within !== undefined) visitValue(event[name] as JsonValue, within, inList, lookup, found)
    }
    return
  }
  for (const [name, within] of members) {
    const value = own(event, name)
    if (value !== undefined) visitValue(value, within, inList, lookup, found)
  }
}

function visitValue<T>(value: JsonValue, place: Place<T>, inList: boolean, lookup: number, found: Found<T>): void {
  if (Array.isArray(value)) {
    const values = value.length < MANY_VALUES ? value : new Set(value)
    for (const one of values) visitValue(one, place, inList || value.length > 1, lookup, found)
  } else if (isObject(value)) visitObject(value, place, inList, lookup, found)
  else visitPrimitive(value, place, inList, lookup, found)
}

function visitPrimitive<T>(
  value: JsonPrimitive,
  place: Place<T>,
  inList: boolean,
  lookup: number,
  found: Found<T>,
): void {
  const { exact, foldedExact, prefixes, suffixes, present } = place
  const visit = (filed: Filed<T>) => found(filed, !inList)
  exact.visit(value, visit)
  if (place.presentBy !== lookup) {
    place.presentBy = lookup
    for (const filed of present) found(filed, false)
  }
  if (typeof value !== 'string') return
  if (foldedExact.size > 0) foldedExact.visit(folded(value), visit)
  for (const length of prefixes.lengths) {
    if (length > value.length) break
    prefixes.visitPart(value, 0, length, visit)
  }
  for (const length of suffixes.lengths) {
    if (length > value.length) break
    suffixes.visitPart(value, value.length - length, value.length, visit)
  }
}
