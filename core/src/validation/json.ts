/**
 * Encodes JSON that Postgres gives back equal, or throws one error that says where it is not. On the path of every
 * emit.
 */
import { isoText } from '../time/clock.ts'
import { isOutbusError, OutbusError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import type { JsonValue } from '../contract/json.ts'
import { isPlainObject, msOfDate } from './kinds.ts'

export interface EncodeOptions {
  /** Prefix of the path in errors. */
  readonly path?: string
  /** Largest text, in bytes of UTF-8. Default 262,144 (256 KiB). */
  readonly maxBytes?: number
  /** Deepest nesting of arrays and objects. Default 64. */
  readonly maxDepth?: number
}

const DEFAULT_MAX_BYTES = 262_144
const DEFAULT_MAX_DEPTH = 64

/**
 * The value as JSON text. As in `JSON.stringify`, a `Date` becomes ISO text, `toJSON` is called, and undefined
 * properties are left out. Whatever would come back different, or not at all, is refused with a `payload.*` error.
 * Every property is read once.
 */
export function encodeJson(
  value: unknown,
  { path = '', maxBytes = DEFAULT_MAX_BYTES, maxDepth = DEFAULT_MAX_DEPTH }: EncodeOptions = {},
): string {
  const walk: Walk = { path: [path], ancestors: [], maxDepth, maxBytes }
  const text = encodeAll(value, walk)
  if (text === undefined) throw refuse('payload.not_json', 'undefined is not JSON', walk, value)
  // A character takes at most three bytes (of two code units, four), so most texts need not be measured.
  if (text.length * 3 > maxBytes) assertSize(text.length > maxBytes ? text.length : Buffer.byteLength(text), walk)
  return text
}

/** The path is the whole's, because the whole is too large. */
function assertSize(bytes: number, { maxBytes, path: [path] }: Walk): void {
  if (bytes <= maxBytes) return
  throw new OutbusError('payload.too_large', `the value is larger than ${maxBytes} bytes of JSON`, {
    path: String(path),
    received: `at least ${bytes} bytes of JSON`,
    limit: maxBytes,
    hint: 'store it elsewhere and send its key, or raise maxEventBytes',
  })
}

/**
 * Also returns the value as in the text: a plain copy. A verb stores the value and emits it later; what its caller does
 * to the value meanwhile changes neither.
 */
export function readJson(
  value: unknown,
  options: EncodeOptions = {},
): { readonly text: string; readonly value: JsonValue } {
  const text = encodeJson(value, options)
  return { text, value: JSON.parse(text) as JsonValue }
}

function encodeAll(value: unknown, walk: Walk): string | undefined {
  try {
    return encode(value, walk)
  } catch (cause) {
    if (isOutbusError(cause)) throw cause
    // A proxy's traps threw when it was asked for keys, prototype or whether it is an array.
    throw new OutbusError('payload.serialize_failed', 'the value cannot be read', { path: showPath(walk), cause })
  }
}

interface Walk {
  readonly path: (string | number)[]
  readonly ancestors: object[]
  readonly maxDepth: number
  readonly maxBytes: number
}

/** Undefined if JSON leaves the property out. One walk checks and encodes, so that both see the same. */
function encode(value: unknown, walk: Walk): string | undefined {
  switch (typeof value) {
    case 'string':
      return encodeText(value, walk)
    case 'number':
      return encodeNumber(value, walk)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'undefined':
      return undefined
    case 'object':
      return value === null ? 'null' : encodeObject(value, walk)
    case 'bigint':
      throw refuse('payload.bigint', 'a BigInt is not JSON', walk, value, 'send it as a string')
    default:
      throw refuse('payload.not_json', `a ${typeof value} is not JSON`, walk, value)
  }
}

function encodeText(value: string, walk: Walk): string {
  // Measured before it is searched: a text may be half a gigabyte.
  assertSize(value.length, walk)
  if (value.includes('\0'))
    throw refuse(
      'payload.nul_character',
      'Postgres stores no NUL character',
      walk,
      value,
      'remove it, or encode the bytes as base64',
    )
  if (!value.isWellFormed()) {
    throw refuse(
      'payload.lone_surrogate',
      'the text has half of a surrogate pair',
      walk,
      value,
      'cut texts by code point, or use toWellFormed()',
    )
  }
  return JSON.stringify(value)
}

function encodeNumber(value: number, walk: Walk): string {
  if (!Number.isFinite(value)) throw refuse('payload.non_finite', `${value} is not JSON`, walk, value)
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw refuse(
      'payload.unsafe_integer',
      'integers beyond 2^53 − 1 are not exact',
      walk,
      value,
      'send it as a string',
      Number.MAX_SAFE_INTEGER,
    )
  }
  return value === 0 ? '0' : String(value)
}

function encodeObject(value: object, walk: Walk): string | undefined {
  if (walk.ancestors.includes(value)) throw refuse('payload.circular', 'the value contains itself', walk, value)
  if (walk.ancestors.length >= walk.maxDepth) {
    throw refuse(
      'payload.too_deep',
      `the value is nested deeper than ${walk.maxDepth}`,
      walk,
      undefined,
      undefined,
      walk.maxDepth,
    )
  }
  walk.ancestors.push(value)
  const text = encodeContent(value, walk)
  walk.ancestors.pop()
  return text
}

function encodeContent(value: object, walk: Walk): string | undefined {
  if (Array.isArray(value)) return encodeArray(value, walk)
  if (ArrayBuffer.isView(value))
    throw refuse('payload.unsupported_type', 'bytes are not JSON', walk, nameOfClass(value), 'encode them as base64')
  const toJson: unknown = read(walk, () => (value as { toJSON?: unknown }).toJSON)
  if (typeof toJson === 'function' && toJson !== (Object.prototype as { toJSON?: unknown }).toJSON) {
    const ms = msOfDate(value)
    if (Number.isNaN(ms)) throw refuse('payload.unsupported_type', 'an invalid Date has no JSON', walk, 'Invalid Date')
    // Whatever the application has put in the place of a date's methods.
    if (ms !== undefined && toJson === Date.prototype.toJSON) return `"${isoText(new Date(ms))}"`
    return encode(
      read(walk, () => toJson.call(value, String(walk.path.at(-1))) as unknown),
      walk,
    )
  }
  if (!isPlainObject(value)) {
    const name = nameOfClass(value)
    throw refuse(
      'payload.unsupported_type',
      `${name} has no JSON of its own`,
      walk,
      `[${name}]`,
      'make it a plain object or array, or give it a toJSON',
    )
  }
  return encodePlain(value, walk)
}

function nameOfClass(value: object): string {
  const { constructor } = value as { readonly constructor?: { readonly name?: unknown } }
  return typeof constructor?.name === 'string' && constructor.name !== '' ? constructor.name : 'an object of a class'
}

function encodeArray(value: readonly unknown[], walk: Walk): string {
  let text = '['
  for (let i = 0; i < value.length; i++) {
    walk.path.push(i)
    const element = encode(
      read(walk, () => value[i]),
      walk,
    )
    if (element === undefined)
      throw refuse('payload.not_json', 'undefined in an array would come back as null', walk, undefined)
    text += i === 0 ? element : `,${element}`
    // Not only at the end: sixty objects that contain each other twice make a text without end.
    assertSize(text.length, walk)
    walk.path.pop()
  }
  return `${text}]`
}

function encodePlain(value: Readonly<Record<string, unknown>>, walk: Walk): string {
  let text = '{'
  for (const key of Object.keys(value)) {
    walk.path.push(key)
    if (key === '__proto__')
      throw refuse('payload.reserved_key', 'an own key __proto__ pollutes whoever merges it', walk, key)
    const member = read(walk, () => value[key])
    if (key === 'constructor' && typeof member === 'object' && member !== null && Object.hasOwn(member, 'prototype')) {
      walk.path.push('prototype')
      throw refuse('payload.reserved_key', 'an own constructor.prototype pollutes whoever merges it', walk, key)
    }
    const encoded = encode(member, walk)
    if (encoded !== undefined) {
      const name = encodeName(key, walk)
      text += (text === '{' ? name.first : name.later) + encoded
    }
    assertSize(text.length, walk)
    walk.path.pop()
  }
  return `${text}}`
}

interface EncodedName {
  readonly first: string
  readonly later: string
}

/** Encoded names of members, which are few and repeat: encoding them took a fifth of a small value's time. */
const names = new Map<string, EncodedName>()
/** Bounds the cache, because senders choose the names. Names beyond it are encoded each time. */
const MAX_NAMES = 1_000
const MAX_NAME_LENGTH = 64

function encodeName(name: string, walk: Walk): EncodedName {
  const known = names.get(name)
  if (known !== undefined) return known
  const text = encodeText(name, walk)
  const encoded = { first: `${text}:`, later: `,${text}:` }
  if (names.size < MAX_NAMES && name.length <= MAX_NAME_LENGTH) names.set(name, encoded)
  return encoded
}

function read<T>(walk: Walk, get: () => T): T {
  try {
    return get()
  } catch (cause) {
    throw new OutbusError('payload.serialize_failed', 'a getter or toJSON of the value threw', {
      path: showPath(walk),
      cause,
    })
  }
}

function refuse(
  code: ErrorCode,
  message: string,
  walk: Walk,
  received: unknown,
  hint?: string,
  limit?: number,
): OutbusError {
  return new OutbusError(code, message, {
    path: showPath(walk),
    received,
    ...(hint === undefined ? {} : { hint }),
    ...(limit === undefined ? {} : { limit }),
  })
}

function showPath({ path }: Walk): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += text === '' || step === '' ? step : `.${step}`
  }
  return text
}
