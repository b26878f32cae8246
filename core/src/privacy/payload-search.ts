/** Reads and checks what an erasure looks for: nothing that is left out by mistake may mean everything. Pure. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { OutbusError } from '../errors.ts'
import type { JsonObject, JsonPrimitive, JsonValue } from '../contract/json.ts'
import type { PayloadPattern } from '../contract/erasure.ts'
import { parseJsonPath, sqlPath } from '../validation/json-path.ts'
import { encodeJson } from '../validation/json.ts'
import { isPlainObject } from '../validation/kinds.ts'

/** Which payloads are meant: those for which all members are true. */
export interface PayloadSearch {
  /** Installed sources. Default: all. */
  readonly sources?: readonly string[]
  /**
   * Stands in the payload at whatever depth: `{ customer: { id: 'c_42' } }`. As Postgres' `@>`: objects may have more
   * members, lists more entries. It needs at least one value.
   */
  readonly contains?: JsonObject
  /** A path into the payload, as in `redact`: `$.value.customer.id`. Needs `equals`. */
  readonly path?: string
  /** What stands at the path, or at one of its places. */
  readonly equals?: JsonPrimitive
}

/** The form that statements take. */
export interface ReadSearch {
  readonly sources: readonly string[] | null
  /** Undefined: no payload is meant. */
  readonly pattern: PayloadPattern | undefined
  /** Texts to look for where there is no payload. Empty if all are too short to tell anything. */
  readonly texts: readonly string[]
  /** The principal whose calls become nobody's. */
  readonly caller: string | undefined
  /** SHA-256 of everything that is looked for, as JSON with sorted members. */
  readonly hash: string
}

const MAX_BYTES = 16_384
/** Shorter texts would be found anywhere. */
const MIN_TEXT_CHARACTERS = 4

const schema = z.strictObject({
  sources: z.array(z.string()).min(1).max(100).exactOptional(),
  contains: z.unknown().optional(),
  path: z.unknown().optional(),
  equals: z.unknown().optional(),
})

export const searchSchema = schema

export function readSearch(
  where: z.output<typeof schema> | undefined,
  caller: string | undefined,
  assertSource: (name: string, at: string) => void,
): ReadSearch {
  if (where === undefined && caller === undefined) throw refuse('where', 'is missing, and so is caller', where)
  const payloads = where === undefined ? undefined : readPayloads(where, assertSource)
  const { sources = null, pattern, texts = [], canonical = {} } = payloads ?? {}
  const hash = createHash('sha256')
    .update(JSON.stringify(inOrder({ ...canonical, caller })))
    .digest('hex')
  return { sources, pattern, texts, caller, hash }
}

function readPayloads(given: z.output<typeof schema>, assertSource: (name: string, at: string) => void) {
  const { sources = null } = given
  sources?.forEach((name, i) => assertSource(name, `where.sources[${i}]`))
  const contains = 'contains' in given ? readContained(given.contains) : undefined
  const at = readPlace(given)
  if (contains === undefined && at === undefined)
    throw refuse('where', 'says nothing of the payload: contains, or path and equals', given)
  const looked = [...(contains === undefined ? [] : textsOf(contains)), ...(at === undefined ? [] : textsOf(at.equals))]
  const canonical = { sources: sources?.toSorted(), contains, path: at?.text, equals: at?.equals }
  return {
    sources,
    pattern: [
      contains === undefined ? null : JSON.stringify(contains),
      at === undefined ? null : at.path,
      at === undefined ? null : JSON.stringify(at.equals),
    ] satisfies PayloadPattern,
    texts: looked.some(({ length }) => length >= MIN_TEXT_CHARACTERS) ? looked : [],
    canonical,
  }
}

function readContained(given: unknown): JsonValue {
  if (!isPlainObject(given)) throw refuse('where.contains', 'is an object', given)
  assertSaysAll(given, 'where.contains')
  const value = JSON.parse(encodeJson(given, { path: 'where.contains', maxBytes: MAX_BYTES })) as JsonValue
  if (!hasValue(value)) throw refuse('where.contains', 'has no value in it, and would be contained in anything', given)
  return value
}

/** An undefined member would be left out, and more erased. Runs before encoding, which finds cycles. */
function assertSaysAll(value: unknown, at: string, depth = 0): void {
  if (typeof value !== 'object' || value === null || depth > 64) return
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) throw refuse(`${at}.${name}`, 'is given and undefined', value)
    assertSaysAll(member, `${at}.${name}`, depth + 1)
  }
}

function hasValue(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return true
  return Object.values(value).some(hasValue)
}

function readPlace(given: z.output<typeof schema>) {
  if (!('path' in given) && !('equals' in given)) return undefined
  const what = { code: 'options.invalid', what: 'apps.eraseData', at: 'where.path' } as const
  const { text, steps } = parseJsonPath(given.path, what)
  const { equals } = given
  if (!('equals' in given) || equals === undefined || (typeof equals === 'object' && equals !== null))
    throw refuse('where.equals', 'is a text, a number, true, false or null', equals)
  encodeJson(equals, { path: 'where.equals', maxBytes: MAX_BYTES })
  return { text, path: `${sqlPath(steps)} ? (@ == $wanted)`, equals: equals as JsonPrimitive }
}

function textsOf(value: JsonValue): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : []
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, member]) => [name, inOrder(member)]))
}

function refuse(at: string, problem: string, received: unknown): OutbusError {
  return new OutbusError('options.invalid', `apps.eraseData: ${at} ${problem}`, {
    path: at,
    received,
    hint: "such as { contains: { customer: 'c_42' } }, or { path: '$.value.customer', equals: 'c_42' }",
  })
}
