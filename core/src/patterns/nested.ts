/**
 * Ruler joins the names on the way to a value by dots, so that `{ "a.b": 1 }` and `{ "a": { "b": 1 } }` are the same to it. Pure.
 */
import type { JsonObject, JsonValue } from '../json.ts'

/** The event with names that have dots taken apart; itself, where there are none. */
export function nested(value: JsonValue): JsonValue {
  return hasDots(value) ? takenApart(value) : value
}

/** Asked first, of every event: most have none, and then nothing is made. */
function hasDots(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) {
    for (const member of value) if (hasDots(member)) return true
    return false
  }
  for (const name of Object.keys(value)) if (name.includes('.') || hasDots(value[name] as JsonValue)) return true
  return false
}

function takenApart(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const members = value.map(takenApart)
    return members.some((member, i) => member !== value[i]) ? members : value
  }
  let copy: JsonObject | undefined
  for (const name of Object.keys(value)) {
    const member = value[name] as JsonValue
    const inner = takenApart(member)
    if (inner === member && !name.includes('.')) continue
    copy ??= { ...value }
    delete copy[name]
    put(copy, name.split('.'), inner)
  }
  return copy ?? value
}

/** Where something is already, both stand there, as in a list. */
function put(object: JsonObject, [first = '', ...rest]: readonly string[], value: JsonValue): void {
  const present = Object.hasOwn(object, first) ? object[first] : undefined
  let added = value
  if (rest.length > 0) {
    added = {}
    put(added, rest, value)
  }
  const both = present === undefined ? added : [...(Array.isArray(present) ? present : [present]), added]
  Object.defineProperty(object, first, { value: both, enumerable: true, configurable: true, writable: true })
}
