/** What happens in a store, and what a trigger may filter on. */
import { createHash } from 'node:crypto'
import { assertKey, assertName, keySchema, nameSchema } from '@outbus/core'
import type { JsonValue } from '@outbus/core'
import { z } from 'zod'
import { isGlob, literalPrefix, matchesGlob } from './glob.ts'

/** Set of any JSON; delete of what was there. `version` is the entry's own, from the store's sequence. */
const set = z.strictObject({
  collection: nameSchema(),
  key: keySchema(),
  value: z.custom<JsonValue>(() => true),
  version: z.int().min(0),
})
const remove = z.strictObject({ collection: nameSchema(), key: keySchema(), version: z.int().min(0) })

export const kvEvents = { set, delete: remove }

/** What a handler receives. */
export type KvEvent =
  | { op: 'set'; collection: string; key: string; value: JsonValue; version: number }
  | { op: 'delete'; collection: string; key: string; version: number }

export const kvFilter = z.strictObject({
  /** The collection's name, or a glob: `*` for any run of characters, `?` for one. Default every collection. */
  collection: nameSchema('trigger.invalid').superRefine(refuseStarsInARow).default('*'),
  /** Default both. */
  ops: z
    .array(z.enum(['set', 'delete']))
    .min(1)
    .default(['set', 'delete']),
  /** Keys that begin with it. Default every key. */
  keyPrefix: keySchema().optional(),
})

function refuseStarsInARow(collection: string, { addIssue }: z.RefinementCtx): void {
  if (!collection.includes('**')) return
  const message = 'two stars in a row mean no more than one: write one'
  addIssue({ code: 'custom', message, input: collection, params: { code: 'pattern.wildcard' } })
}

export type KvFilter = z.output<typeof kvFilter>

/** A glob is filed under at most this much of its literal prefix; an event is looked up under as many prefixes. */
const INDEXED_PREFIX = 8

export function kvKeys({ collection }: KvFilter): string[] {
  return [isGlob(collection) ? `^${literalPrefix(collection).slice(0, INDEXED_PREFIX)}` : `=${collection}`]
}

export function kvKeysOf({ collection }: { collection: string }): string[] {
  const keys = [`=${collection}`]
  for (let length = 0; length <= Math.min(INDEXED_PREFIX, collection.length); length++)
    keys.push(`^${collection.slice(0, length)}`)
  return keys
}

export function kvMatches({
  event,
  filter,
}: {
  event: { op: string; collection: string; key: string }
  filter: KvFilter
}): boolean {
  return (
    (filter.ops as readonly string[]).includes(event.op) &&
    (filter.keyPrefix === undefined || event.key.startsWith(filter.keyPrefix)) &&
    (isGlob(filter.collection)
      ? matchesGlob(filter.collection, event.collection)
      : filter.collection === event.collection)
  )
}

const MAX_ORDERING_KEY_BYTES = 255

/** Each entry is an order of its own. A name that is too long for an ordering key is stood for by its hash. */
export function kvOrderingKey({ collection, key }: { collection: string; key: string }): string {
  // A separator that no collection has: `a/b` + `c` is not `a` + `b/c`.
  const name = `${collection}\u001f${key}`
  return Buffer.byteLength(name) <= MAX_ORDERING_KEY_BYTES ? name : createHash('sha256').update(name).digest('hex')
}

export function assertCollection(collection: unknown, path = 'collection'): asserts collection is string {
  assertName(collection, { what: 'a collection name', path })
}

export function assertEntryKey(key: unknown, path = 'key'): asserts key is string {
  assertKey(key, { what: 'a kv key', path })
}
