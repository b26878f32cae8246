/** What happens in a store, and what a trigger may filter on. */
import { assertKey, assertName, keySchema, nameSchema, patternSchema } from '@outbus/core/plugin'
import type { JsonValue } from '@outbus/core/plugin'
import { z } from 'zod'
import { isGlob, matchesGlob } from './glob.ts'

/** An entry was written. `version` is the entry's own, from the store's sequence. */
const set = z.strictObject({
  collection: nameSchema(),
  key: keySchema(),
  value: z.custom<JsonValue>(() => true),
  version: z.int().min(0),
})
/** An entry was deleted. `version` is the one that it had. */
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
    .optional(),
  /** Keys that begin with it. Default every key. */
  keyPrefix: keySchema().optional(),
  /** Of the value that was set, such as `{ plan: ['pro'] }`. A delete has no value, and matches none. Default every value. */
  pattern: patternSchema().optional(),
})

function refuseStarsInARow(collection: string, { addIssue }: z.RefinementCtx): void {
  if (!collection.includes('**')) return
  const message = 'two stars in a row mean no more than one: write one'
  addIssue({ code: 'custom', message, input: collection, params: { code: 'pattern.wildcard' } })
}

export type KvFilter = z.output<typeof kvFilter>

/** What a filter's pattern speaks of. */
export function kvContent(event: { op: 'set'; value: JsonValue } | { op: 'delete' }): JsonValue | undefined {
  return event.op === 'set' ? event.value : undefined
}

export function kvMatches({
  event,
  filter,
}: {
  event: { op: string; collection: string; key: string }
  filter: KvFilter
}): boolean {
  return (
    ((filter.ops as readonly string[] | undefined)?.includes(event.op) ?? true) &&
    (filter.keyPrefix === undefined || event.key.startsWith(filter.keyPrefix)) &&
    (isGlob(filter.collection)
      ? matchesGlob(filter.collection, event.collection)
      : filter.collection === event.collection)
  )
}

export function assertCollection(collection: unknown, path = 'collection'): asserts collection is string {
  assertName(collection, { what: 'a collection name', path })
}

export function assertEntryKey(key: unknown, path = 'key'): asserts key is string {
  assertKey(key, { what: 'a kv key', path })
}
