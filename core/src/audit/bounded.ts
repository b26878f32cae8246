/** Bounds the JSON that the audit keeps of a value. Pure. */
import { createHash } from 'node:crypto'
import type { JsonValue } from '../contract/json.ts'
import { storableText } from '../secrets/storable-text.ts'
import { isPlainObject } from '../validation/kinds.ts'

const MAX_BYTES = 16_384
const MAX_MEMBER_BYTES = 4_096
export const MAX_ORIGIN_CHARACTERS = 256

/**
 * The value as Postgres stores it, null for undefined. A member of more than 4,096 bytes of JSON becomes `{ cutBytes,
 * sha256 }`: its size, and the hash of its JSON in hexadecimal. So does the whole if it still has more than 16,384.
 */
export function boundedJson(value: unknown): JsonValue {
  if (value === undefined || value === null) return null
  const bounded = isPlainObject(value)
    ? Object.fromEntries(Object.entries(value).map(([name, member]) => [name, cut(member, MAX_MEMBER_BYTES)]))
    : value
  return cut(bounded, MAX_BYTES)
}

function cut(value: unknown, most: number): JsonValue {
  const text = JSON.stringify(value, (_name, member: unknown) =>
    typeof member === 'string' ? storableText(member) : member,
  )
  if (text === undefined) return null
  const bytes = Buffer.byteLength(text)
  return bytes > most ? { cutBytes: bytes, sha256: hashOf(text) } : (JSON.parse(text) as JsonValue)
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Where a call came from, cut to what an audit row takes. */
export function boundedOrigin(text: string): string {
  return storableText(text.slice(0, MAX_ORIGIN_CHARACTERS))
}
