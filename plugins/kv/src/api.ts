/** The verbs at `cx.kv`. Every mutation and the rows of its triggers commit together, in the caller's transaction when there is one. */
import { isOutbusError, OutbusError } from '@outbus/core'
import type { EmitOptions, EmitResult, Page } from '@outbus/core'
import {
  decodeCursor,
  emitOptionFacts,
  emitOptionsSchema,
  encodeCursor,
  pageLimit,
  pageSchema,
  parseWith,
  readJson,
  toPage,
} from '@outbus/core/plugin'
import type {
  JsonValue,
  PageOptions,
  SharedWrite,
  SourceContext,
  SourceTransaction,
  WrittenRow,
} from '@outbus/core/plugin'
import { z } from 'zod'
import { assertCollection, assertEntryKey } from './events.ts'
import type { kvEvents } from './events.ts'
import { above } from './prefix.ts'
import { deleteEntry } from './sql/delete-entry.ts'
import { getEntry } from './sql/get-entry.ts'
import type { EntryRow } from './sql/get-entry.ts'
import { insertEntry } from './sql/insert-entry.ts'
import { listEntries } from './sql/list-entries.ts'
import type { PutParameters } from './sql/put-entries.ts'
import { putEntries } from './sql/put-entries.ts'
import { replaceEntry } from './sql/replace-entry.ts'

export interface KvEntry {
  readonly key: string
  readonly value: JsonValue
  /** Grows with every write of the store; never the same twice for one key, not even after a delete. */
  readonly version: number
  readonly updatedAt: Date
}

export interface KvSetOptions extends EmitOptions {
  /** Write only over this version; 0: only if the key is not there. `version.conflict` otherwise. */
  readonly ifVersion?: number
}

export interface KvDeleteOptions extends Pick<EmitOptions, 'requireMatch'> {
  /** Delete only this version; `version.conflict` otherwise. */
  readonly ifVersion?: number
}

export interface KvWritten {
  /** The version of the entry as it is now. A deleted entry has the version that it had. */
  readonly version: number
  readonly eventId: string
  /** Rows that the write's event made: one for each trigger that matched. */
  readonly deliveries: number
  /** The ids of those rows, as `cx.deliveries` takes them. Empty for a duplicate. */
  readonly deliveryIds: readonly string[]
  /** True when the dedupe key was taken: neither entry nor event was written. */
  readonly duplicate: boolean
}

export interface KvWrite {
  readonly collection: string
  readonly key: string
  readonly value: unknown
}

export interface KvListOptions extends PageOptions {
  /** Keys that begin with it. Default all of the collection. */
  readonly prefix?: string
}

export interface KvApi {
  /** Undefined when the key is not there. */
  get(collection: string, key: string): Promise<KvEntry | undefined>
  /** Any JSON value, at most the bus's `maxEventBytes`. With a `dedupeKey` that was used before nothing is written at all. */
  set(collection: string, key: string, value: unknown, options?: KvSetOptions): Promise<KvWritten>
  /** All or none, in one transaction and one event each. A key may stand in it once. */
  setMany(writes: readonly KvWrite[], options?: Pick<EmitOptions, 'requireMatch'>): Promise<KvWritten[]>
  /**
   * Of the entry as it was, which is gone. False, and no event, when the key was not there; with `ifVersion` that is a
   * `version.conflict`.
   */
  delete(collection: string, key: string, options?: KvDeleteOptions): Promise<KvWritten | false>
  /** By key, ascending in code point order. */
  list(collection: string, options?: KvListOptions): Promise<Page<KvEntry>>
}

type Context = SourceContext<typeof kvEvents>
type Transaction = SourceTransaction<typeof kvEvents>

const setOptions = emitOptionsSchema.extend({ ifVersion: z.int().min(0).exactOptional() })
const manyOptions = emitOptionsSchema.pick({ requireMatch: true })
const deleteOptions = manyOptions.extend({ ifVersion: z.int().min(0).exactOptional() })
const listOptions = z.strictObject({ ...pageSchema, prefix: z.string().exactOptional() })
const writesSchema = z.array(z.strictObject({ collection: z.unknown(), key: z.unknown(), value: z.unknown() }))

export function kvApi(context: Context): KvApi {
  const { app } = context
  const read = (value: unknown, path: string) => readJson(value, { path, maxBytes: context.maxEventBytes })

  return {
    async get(collection, key) {
      readAddress(collection, key)
      await context.authorize('get', { collection, key })
      const [row] = await context.run(getEntry, [app, collection, key])
      return row === undefined ? undefined : toEntry(row)
    },

    async set(collection, key, given, options = {}) {
      readAddress(collection, key)
      const { ifVersion, ...emitOptions } = parseOptions(setOptions, options, 'kv.set') as KvSetOptions
      const { text, value } = read(given, 'value')
      const event = { op: 'set' as const, collection, key, value }
      const asked = context.authorize('set', { collection, key, value, ...emitOptionFacts(emitOptions) })
      if (asked !== undefined) await asked
      // Before anything is written, with the longest version there is.
      const expected = { ...event, version: Number.MAX_SAFE_INTEGER }
      if (ifVersion === undefined && emitOptions.dedupeKey === undefined) {
        const item = { collection, key, text }
        const part = { item, key: addressOf(item), event: expected, options: emitOptions }
        const { emitted, generated } = await context.together(putOne, part)
        return { ...emitted, version: Number(generated['version']) }
      }
      context.check(expected, emitOptions)
      return context.transaction(async (tx) => {
        await tx.expectMatch([expected], [emitOptions])
        const reservation = await tx.reserve(emitOptions)
        if (reservation.takenBy !== undefined) {
          const [present] = await tx.run(getEntry, [app, collection, key])
          const version = Number(present?.version ?? 0)
          return { eventId: reservation.takenBy, deliveries: 0, deliveryIds: [], duplicate: true, version }
        }
        const version = await writeOne(app, tx, collection, key, text, ifVersion)
        if (version === undefined) {
          await reservation.release()
          throw conflict(collection, key, ifVersion as number, ifVersion === 0 ? 'is there already' : OTHER_VERSION)
        }
        const [emitted] = (await tx.emit([{ ...event, version }], [emitOptions])) as [EmitResult]
        return { ...emitted, version }
      })
    },

    async setMany(given, options = {}) {
      const emitOptions = parseOptions(manyOptions, options, 'kv.setMany') as EmitOptions
      const writes = parseOptions(writesSchema, given, 'kv.setMany', 'writes').map(({ collection, key, value }, i) => {
        return { ...readAddress(collection, key, `writes[${i}].`), ...read(value, `writes[${i}].value`) }
      })
      assertDistinct(writes)
      for (const [i, { collection, key, value }] of writes.entries())
        checkWrite(context, { op: 'set', collection, key, value, version: Number.MAX_SAFE_INTEGER }, i)
      await context.authorize('setMany', {
        writes: writes.map(({ collection, key, value }) => ({ collection, key, value })),
      })
      if (writes.length === 0) return []
      return context.transaction(async (tx) => {
        const expected = writes.map(({ collection, key, value }) => {
          return { op: 'set' as const, collection, key, value, version: Number.MAX_SAFE_INTEGER }
        })
        const optionsOfAll = writes.map(() => emitOptions)
        await tx.expectMatch(expected, optionsOfAll)
        const versions = versionsOf(
          await tx.run(
            putEntries.plain,
            putParameters(writes, () => app),
          ),
        )
        const events = writes.map(({ collection, key, value }, i) => {
          return { op: 'set' as const, collection, key, value, version: versions[i] as number }
        })
        const emitted = await tx.emit(events, optionsOfAll)
        return emitted.map((result, i) => ({ ...result, version: (events[i] as { version: number }).version }))
      })
    },

    async delete(collection, key, options = {}) {
      readAddress(collection, key)
      const { ifVersion, ...emitOptions } = parseOptions(deleteOptions, options, 'kv.delete') as KvDeleteOptions
      await context.authorize('delete', { collection, key })
      return context.transaction(async (tx) => {
        await tx.expectMatch([{ op: 'delete', collection, key, version: Number.MAX_SAFE_INTEGER }], [emitOptions])
        const [row] = await tx.run(deleteEntry, [app, collection, key, ifVersion ?? null])
        if (row === undefined) {
          if (ifVersion !== undefined) throw conflict(collection, key, ifVersion, OTHER_VERSION)
          return false
        }
        const version = Number(row.version)
        const [emitted] = (await tx.emit([{ op: 'delete', collection, key, version }], [emitOptions])) as [EmitResult]
        return { ...emitted, version }
      })
    },

    async list(collection, options = {}) {
      assertCollection(collection)
      const { prefix = '', limit, cursor } = parseOptions(listOptions, options, 'kv.list')
      if (prefix !== '') assertEntryKey(prefix, 'prefix')
      await context.authorize('list', { collection, prefix })
      const listing = ['kv', app, collection, prefix]
      const size = pageLimit(limit)
      const after = decodeCursor(listing, cursor, assertEntryKey)
      const rows = await context.run(listEntries, [app, collection, prefix, above(prefix), after ?? null, size + 1])
      return toPage(rows.map(toEntry), size, (last) => encodeCursor(listing, last.key))
    },
  }
}

interface PutItem {
  readonly collection: string
  readonly key: string
  readonly text: string
}

/** A `set` of whatever is there: what several callers ask for at once is one statement and one commit. */
const putOne: SharedWrite<PutItem> = {
  statement: putEntries,
  parameters: (items) =>
    putParameters(
      items.map(({ item }) => item),
      (i) => (items[i] as { app: string }).app,
    ),
  generated: ['version'],
}

function putParameters(
  writes: readonly { readonly collection: string; readonly key: string; readonly text: string }[],
  appOf: (i: number) => string,
): PutParameters {
  return [
    writes.map((_, i) => appOf(i)),
    writes.map(({ collection }) => collection),
    writes.map(({ key }) => key),
    writes.map(({ text }) => text),
  ]
}

/** By position. */
function versionsOf(rows: readonly WrittenRow[]): number[] {
  const versions: number[] = []
  for (const { n, generated } of rows) versions[Number(n) - 1] = Number(generated['version'])
  return versions
}

/** Undefined where the entry is not as `ifVersion` says. */
async function writeOne(
  app: string,
  tx: Transaction,
  collection: string,
  key: string,
  text: string,
  ifVersion: number | undefined,
): Promise<number | undefined> {
  if (ifVersion === undefined)
    return versionsOf(
      await tx.run(
        putEntries.plain,
        putParameters([{ collection, key, text }], () => app),
      ),
    )[0]
  const [row] =
    ifVersion === 0
      ? await tx.run(insertEntry, [app, collection, key, text])
      : await tx.run(replaceEntry, [app, collection, key, text, ifVersion])
  return row === undefined ? undefined : Number(row.version)
}

function parseOptions<T extends z.ZodType>(schema: T, given: unknown, what: string, path = ''): z.output<T> {
  return parseWith(schema, given, { code: 'options.invalid', what, path })
}

function readAddress(collection: unknown, key: unknown, within = ''): { collection: string; key: string } {
  assertCollection(collection, `${within}collection`)
  assertEntryKey(key, `${within}key`)
  return { collection, key }
}

function checkWrite(context: Context, event: Parameters<Context['check']>[0], i: number): void {
  try {
    context.check(event)
  } catch (error) {
    if (!isOutbusError(error)) throw error
    throw error.under(`writes[${i}]`)
  }
}

function assertDistinct(writes: readonly { collection: string; key: string }[]): void {
  const seen = new Set<string>()
  for (const [i, write] of writes.entries()) {
    const address = addressOf(write)
    if (seen.has(address)) {
      throw new OutbusError('options.invalid', `setMany writes the key ${JSON.stringify(write.key)} twice`, {
        path: `writes[${i}].key`,
        received: write.key,
      })
    }
    seen.add(address)
  }
}

function addressOf({ collection, key }: { collection: string; key: string }): string {
  return JSON.stringify([collection, key])
}

const OTHER_VERSION = 'has another version, or is gone'

function conflict(collection: string, key: string, ifVersion: number, found: string): OutbusError {
  return new OutbusError(
    'version.conflict',
    `the entry ${JSON.stringify(key)} of ${JSON.stringify(collection)} ${found}`,
    {
      path: 'ifVersion',
      received: ifVersion,
      hint: 'read it again and decide anew',
    },
  )
}

function toEntry(row: EntryRow): KvEntry {
  return { key: row.key, value: row.value, version: Number(row.version), updatedAt: row.updated_at }
}
