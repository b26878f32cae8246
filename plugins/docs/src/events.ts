/** What happens to documents, and what a trigger may filter on. */
import { assertKey, assertName, keySchema, nameSchema, patternSchema } from '@outbus/core/plugin'
import type { JsonObject } from '@outbus/core/plugin'
import { z } from 'zod'
import { isPath, PathIndex } from './changed-paths.ts'

const about = {
  collection: nameSchema(),
  id: keySchema(),
  /** Of the document as it is now; of one that was deleted, as it was. */
  version: z.int().min(0),
  /** Paths of what changed, such as `address.city`: see changed-paths.ts. */
  changed: z.array(z.string()),
}
const content = z.custom<JsonObject>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), {
  error: 'is a JSON object',
})

export const docsEvents = {
  /** A document was inserted. */
  created: z.strictObject({ ...about, after: content }),
  /** A document was updated or replaced, and something in it changed. */
  updated: z.strictObject({ ...about, before: content, after: content }),
  /** A document was deleted. */
  deleted: z.strictObject({ ...about, before: content }),
}

/** What a handler receives: `before` and `after` as far as there is one and `docs({ carry })` says so. */
export type DocsEvent = {
  op: 'created' | 'updated' | 'deleted'
  collection: string
  id: string
  version: number
  changed: string[]
  before?: JsonObject
  after?: JsonObject
}

export type Carry = 'both' | 'before' | 'after' | 'none'

const OPS = ['created', 'updated', 'deleted'] as const

/** Paths that a filter may name. */
const MAX_CHANGED_PATHS = 200

export const docsFilter = z.strictObject({
  /** Default every collection. */
  collection: nameSchema('trigger.invalid').optional(),
  /** Default all three. */
  ops: z
    .array(z.enum(OPS))
    .min(1)
    .default([...OPS]),
  /** At most 200 paths such as `address.city`: one of them, or something within it, or what it is within, has changed. Default anything. */
  changed: z
    .array(
      z
        .string()
        .refine(
          isPath,
          'is a path of at most 64 members and 1,000 characters: members between dots, one with a dot or a quote in it as a JSON string',
        ),
    )
    .min(1)
    .max(MAX_CHANGED_PATHS)
    .optional(),
  /** Of the content as it is now; of a document that was deleted, as it was. Default any content. */
  pattern: patternSchema().optional(),
})

export type DocsFilter = z.output<typeof docsFilter>

interface Matched {
  readonly op: string
  readonly collection: string
  readonly changed: readonly string[]
}

const EVERY = '*'

export function docsKeys({ collection }: DocsFilter): string[] {
  return [collection === undefined ? EVERY : `=${collection}`]
}

export function docsKeysOf({ collection }: { collection: string }): string[] {
  return [EVERY, `=${collection}`]
}

export function docsMatches({ event, filter }: { event: Matched; filter: DocsFilter }): boolean {
  const { collection, ops, changed } = filter
  return (
    (collection === undefined || collection === event.collection) &&
    (ops as readonly string[]).includes(event.op) &&
    (changed === undefined || changed.some((wanted) => pathsOf(event.changed).overlaps(wanted)))
  )
}

/** Made when the first filter asks for it, and asked by all filters of the event. */
const indexes = new WeakMap<readonly string[], PathIndex>()

export function pathsOf(changed: readonly string[]): PathIndex {
  let index = indexes.get(changed)
  if (index === undefined) indexes.set(changed, (index = new PathIndex(changed)))
  return index
}

/** What a filter's pattern speaks of. */
export function docsContent(event: { after: JsonObject } | { before: JsonObject }): JsonObject {
  return 'after' in event ? event.after : event.before
}

export function carrying(
  carry: Carry,
  event: Omit<DocsEvent, 'before' | 'after'> & { before?: JsonObject; after?: JsonObject },
): DocsEvent {
  const { before, after, ...rest } = event
  return {
    ...rest,
    ...(before !== undefined && (carry === 'both' || carry === 'before') ? { before } : {}),
    ...(after !== undefined && (carry === 'both' || carry === 'after') ? { after } : {}),
  }
}

export function assertCollection(collection: unknown): asserts collection is string {
  assertName(collection, { what: 'a collection name', path: 'collection' })
}

export function assertDocumentId(id: unknown): asserts id is string {
  assertKey(id, { what: 'a document id', path: 'id' })
}
