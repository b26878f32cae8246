/**
 * Takes dotted names apart, because Ruler joins names by dots: `{ "a.b": 1 }` and `{ "a": { "b": 1 } }` are the same to
 * it. Pure, and linear in the event.
 */
import type { JsonObject, JsonValue } from '../contract/json.ts'

/** Members deeper than any pattern can name are left out. */
export const MAX_STEPS = 64

export function nested(value: JsonValue): JsonValue {
  return hasDots(value) ? new Apart().of(value, 0) : value
}

/** Asked first, because most events have none. */
function hasDots(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) {
    for (const member of value) if (hasDots(member)) return true
    return false
  }
  for (const name of Object.keys(value)) if (name.includes('.') || hasDots(value[name] as JsonValue)) return true
  return false
}

/** Takes one event apart. What it makes is its own, and may be added to. */
class Apart {
  /** For a list merged from several members: the object that takes its named ones. */
  readonly #namedIn = new Map<JsonValue[], JsonObject>()

  of(value: JsonValue, steps: number): JsonValue {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((member) => this.of(member, steps))
    // Without a prototype, `__proto__` is a name like any other.
    const object = Object.create(null) as JsonObject
    for (const [name, member] of Object.entries(value)) {
      const path = name.split('.', MAX_STEPS + 1)
      const depth = steps + path.length
      if (depth <= MAX_STEPS) this.#put(object, path, this.of(member, depth))
    }
    return object
  }

  #put(object: JsonObject, path: readonly string[], value: JsonValue): void {
    let at = object
    for (const step of path.slice(0, -1)) at = this.#objectAt(at, step)
    const last = path.at(-1) as string
    const present = at[last]
    at[last] = present === undefined ? value : this.#both(present, value)
  }

  /** The object under the name, or beside what stands there. */
  #objectAt(object: JsonObject, name: string): JsonObject {
    const present = object[name]
    if (isObject(present)) return present
    const list = present === undefined ? undefined : listOf(present)
    const known = list && this.#namedIn.get(list)
    if (known !== undefined) return known
    const made = Object.create(null) as JsonObject
    if (list === undefined) object[name] = made
    else {
      object[name] = list
      list.push(made)
      this.#namedIn.set(list, made)
    }
    return made
  }

  /** Objects merge; anything else stands side by side, as in a list. */
  #both(present: JsonValue, added: JsonValue): JsonValue {
    if (isObject(added) && (isObject(present) || Array.isArray(present))) {
      const holder = Object.create(null) as JsonObject
      holder['it'] = present
      const into = this.#objectAt(holder, 'it')
      for (const name of Object.keys(added)) this.#put(into, [name], added[name] as JsonValue)
      return holder['it']
    }
    const list = listOf(present)
    if (isObject(present)) this.#namedIn.set(list, present)
    for (const one of Array.isArray(added) ? added : [added]) list.push(one)
    return list
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function listOf(value: JsonValue): JsonValue[] {
  return Array.isArray(value) ? value : [value]
}
