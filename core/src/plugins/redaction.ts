/**
 * What `createBus({ redact })` names, replaced in an event before anything is asked or stored of it. Linear in the event. Pure.
 */
import { OutbusError } from '../errors.ts'
import type { JsonPath, PathStep } from '../validation/json-path.ts'
import { EACH, parseJsonPath } from '../validation/json-path.ts'
import { isPlainObject } from '../validation/kinds.ts'

/** What stands in an event where `redact` has replaced a value, whatever that was. */
export const REDACTED = '[redacted]'

const MAX_PATHS = 100
/** Says what happened: no event is one without it. */
const OP = 'op'

/** Paths with the same steps so far. */
interface Place {
  /** A path ends here: what stands here is replaced. */
  ends: boolean
  readonly members: Map<string, Place>
  readonly entries: Map<number, Place>
  each: Place | undefined
}

export class Redaction {
  readonly #root: readonly Place[]

  constructor(paths: readonly JsonPath[]) {
    const root = newPlace()
    for (const { steps } of paths) {
      let place = root
      for (const step of steps) place = placeAt(place, step)
      place.ends = true
    }
    this.#root = [root]
  }

  /**
   * The value with {@link REDACTED} for all that is named: a copy as far as something is, else the value itself. What has a class,
   * such as a `Date`, is replaced as a whole or left.
   */
  of(value: unknown): unknown {
    try {
      return redacted(value, this.#root, true)
    } catch (cause) {
      // A getter or a proxy.
      throw new OutbusError('payload.serialize_failed', 'the value cannot be read', { path: '', cause })
    }
  }

  /** Whether something in one of these members may be named. */
  reaches(members: readonly string[]): boolean {
    return this.#root.flatMap(asListOfOne).some((place) => members.some((member) => place.members.has(member)))
  }
}

function redacted(value: unknown, places: readonly Place[], mayUnwrap: boolean): unknown {
  if (value === undefined) return value
  if (Array.isArray(value)) return places.some(({ ends }) => ends) ? REDACTED : redactedList(value, places, mayUnwrap)
  const all = places.flatMap(asListOfOne)
  if (all.some(({ ends }) => ends)) return REDACTED
  return isPlainObject(value) ? redactedObject(value, all) : value
}

/** `mayUnwrap`: a step to a member is of each entry, but not of lists within the list. */
function redactedList(list: readonly unknown[], places: readonly Place[], mayUnwrap: boolean): unknown {
  const inEach = places.flatMap(({ each }) => each ?? [])
  const unwrapped = mayUnwrap ? places.filter(({ members }) => members.size > 0).map(membersOnly) : []
  const isNumbered = places.some(({ entries }) => entries.size > 0)
  if (inEach.length === 0 && unwrapped.length === 0 && !isNumbered) return list
  let copy: unknown[] | undefined
  for (const [i, entry] of list.entries()) {
    const here = isNumbered ? [...inEach, ...places.flatMap(({ entries }) => entries.get(i) ?? [])] : inEach
    let is = here.length === 0 ? entry : redacted(entry, here, true)
    if (unwrapped.length > 0 && !Array.isArray(is)) is = redacted(is, unwrapped, false)
    if (is === entry) continue
    copy ??= [...list]
    copy[i] = is
  }
  return copy ?? list
}

function redactedObject(value: Readonly<Record<string, unknown>>, places: readonly Place[]): unknown {
  let copy: Record<string, unknown> | undefined
  for (const { members } of places) {
    for (const [name, place] of members) {
      if (!Object.hasOwn(value, name)) continue
      const was: unknown = (copy ?? value)[name]
      const is = redacted(was, [place], true)
      if (is === was) continue
      copy ??= { ...value }
      copy[name] = is
    }
  }
  return copy ?? value
}

/** With the places that a step into a list leads to, where there is no list. */
function asListOfOne(place: Place): Place[] {
  const within = [place.each, place.entries.get(0)].filter((one) => one !== undefined)
  return [place, ...within.flatMap(asListOfOne)]
}

/** Unwrapped once: the steps that take the list as a list are taken already. */
function membersOnly({ members }: Place): Place {
  return { ...newPlace(), members }
}

function newPlace(): { -readonly [Member in keyof Place]: Place[Member] } {
  return { ends: false, members: new Map(), entries: new Map(), each: undefined }
}

function placeAt(place: Place, step: PathStep): Place {
  if (step === EACH) return (place.each ??= newPlace())
  const places: Map<string | number, Place> = typeof step === 'string' ? place.members : place.entries
  let next = places.get(step)
  if (next === undefined) places.set(step, (next = newPlace()))
  return next
}

/** Of the option `redact`: paths by the name of a source. */
export function readRedactions(
  given: unknown,
  assertSource: (name: string, at: string) => void,
): Map<string, Redaction> {
  if (!isPlainObject(given)) throw refuse('is paths by the name of a source', 'redact', given)
  const entries = Object.entries(given).map(([name, paths]): [string, Redaction] => {
    const at = `redact.${name}`
    assertSource(name, at)
    if (!Array.isArray(paths)) throw refuse('is a list of paths', at, paths)
    if (paths.length > MAX_PATHS) throw refuse('has too many paths', at, paths.length, MAX_PATHS)
    return [name, new Redaction(Array.from(paths, (path, i) => readPath(path, `${at}[${i}]`)))]
  })
  return new Map(entries)
}

function readPath(given: unknown, at: string): JsonPath {
  const path = parseJsonPath(given, { code: 'options.invalid', what: 'createBus', at })
  const members = path.steps.filter((step) => typeof step === 'string')
  if (members.length === 0) throw refuse('names the whole, where it has to name something in it', at, given)
  if (members.length === 1 && members[0] === OP) throw refuse('names the op, which says what happened', at, given)
  return path
}

function refuse(problem: string, at: string, received: unknown, limit?: number): OutbusError {
  return new OutbusError('options.invalid', `createBus: ${at} ${problem}`, {
    path: at,
    received,
    hint: "such as { orders: ['$.card', '$.items[*].iban'] }",
    ...(limit === undefined ? {} : { limit }),
  })
}
