/** The verbs at `cx.kv`. Every mutation and the rows of its triggers commit together, in the caller's transaction when there is one. */
import { decodeCursor, encodeCursor, encodeJson, OutbusError, pageLimit, toPage } from '@outbus/core'
import type {
  EmitOptions,
  EmitResult,
  JsonValue,
  Page,
  PageOptions,
  SourceContext,
  SourceTransaction,
} from '@outbus/core'
import { assertCollection, assertEntryKey } from './events.ts'
import type { kvEvents } from './events.ts'
import { above } from './prefix.ts'
import { deleteEntry } from './sql/delete-entry.ts'
import { getEntry } from './sql/get-entry.ts'
import type { EntryRow } from './sql/get-entry.ts'
import { insertEntry } from './sql/insert-entry.ts'
import { listEntries } from './sql/list-entries.ts'
import { putEntries } from './sql/put-entries.ts'
import { beginWrite, undoWrite } from './sql/savepoint.ts'
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

export interface KvWritten {
  /** Of the entry as it is now. */
  readonly version: number
  readonly eventId: string
  /** Rows that the write's event made: one for each trigger that matched. */
  readonly deliveries: number
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
  setMany(writes: readonly KvWrite[]): Promise<KvWritten[]>
  /** False, and no event, when the key was not there. With `ifVersion` that is a `version.conflict`. */
  delete(collection: string, key: string, options?: { readonly ifVersion?: number }): Promise<boolean>
  /** By key, ascending in code point order. */
  list(collection: string, options?: KvListOptions): Promise<Page<KvEntry>>
}

/** What an event has beside its value: collection and key at their longest, escaped, and the names of the members. */
const ADDRESS_BYTES = 1_280

type Context = SourceContext<typeof kvEvents>
type Transaction = SourceTransaction<typeof kvEvents>

export function kvApi(context: Context): KvApi {
  return {
    async get(collection, key) {
      assertAddress(collection, key)
      const [row] = await context.run(getEntry, [context.app, collection, key])
      return row === undefined ? undefined : toEntry(row)
    },

    async set(collection, key, value, { ifVersion, ...emitOptions } = {}) {
      assertAddress(collection, key)
      assertVersion(ifVersion)
      const text = encodeJson(value, { path: 'value', maxBytes: context.maxEventBytes - ADDRESS_BYTES })
      const event = { op: 'set' as const, collection, key, value: value as JsonValue }
      context.check({ ...event, version: 0 }, emitOptions)
      return context.transaction(async (tx) => {
        if (emitOptions.dedupeKey !== undefined) await tx.run(beginWrite, [])
        const version = await writeOne(context.app, tx, collection, key, text, ifVersion)
        const [emitted] = (await tx.emit([{ ...event, version }], [emitOptions])) as [EmitResult]
        if (!emitted.duplicate) return { ...emitted, version }
        await tx.run(undoWrite, [])
        const [present] = await tx.run(getEntry, [context.app, collection, key])
        return { ...emitted, version: Number(present?.version ?? 0) }
      })
    },

    async setMany(writes) {
      const texts = writes.map((write, i) => {
        assertAddress(write.collection, write.key)
        return encodeJson(write.value, { path: `writes[${i}].value`, maxBytes: context.maxEventBytes - ADDRESS_BYTES })
      })
      assertDistinct(writes)
      if (writes.length === 0) return []
      return context.transaction(async (tx) => {
        const rows = await tx.run(putEntries, [
          context.app,
          writes.map((write) => write.collection),
          writes.map((write) => write.key),
          texts,
        ])
        const versions = new Map(rows.map((row) => [addressOf(row), Number(row.version)]))
        const written = writes.map((write) => ({ ...write, version: versions.get(addressOf(write)) as number }))
        const emitted = await tx.emit(
          written.map(({ collection, key, value, version }) => ({
            op: 'set',
            collection,
            key,
            value: value as JsonValue,
            version,
          })),
        )
        return emitted.map((result, i) => ({ ...result, version: (written[i] as { version: number }).version }))
      })
    },

    async delete(collection, key, { ifVersion } = {}) {
      assertAddress(collection, key)
      assertVersion(ifVersion)
      return context.transaction(async (tx) => {
        const [row] = await tx.run(deleteEntry, [context.app, collection, key, ifVersion ?? null])
        if (row === undefined) {
          if (ifVersion !== undefined) throw conflict(collection, key, ifVersion)
          return false
        }
        await tx.emit([{ op: 'delete', collection, key, version: Number(row.version) }])
        return true
      })
    },

    async list(collection, { prefix = '', limit, cursor } = {}) {
      assertCollection(collection)
      if (prefix !== '') assertEntryKey(prefix)
      const listing = ['kv', context.app, collection, prefix]
      const size = pageLimit(limit)
      const rows = await context.run(listEntries, [
        context.app,
        collection,
        prefix,
        above(prefix),
        decodeCursor(listing, cursor) ?? null,
        size + 1,
      ])
      return toPage(rows.map(toEntry), size, (last) => encodeCursor(listing, last.key))
    },
  }
}

async function writeOne(
  app: string,
  tx: Transaction,
  collection: string,
  key: string,
  text: string,
  ifVersion: number | undefined,
): Promise<number> {
  const [row] =
    ifVersion === undefined
      ? await tx.run(putEntries, [app, [collection], [key], [text]])
      : ifVersion === 0
        ? await tx.run(insertEntry, [app, collection, key, text])
        : await tx.run(replaceEntry, [app, collection, key, text, ifVersion])
  if (row === undefined) throw conflict(collection, key, ifVersion as number)
  return Number(row.version)
}

function assertAddress(collection: unknown, key: unknown): void {
  assertCollection(collection)
  assertEntryKey(key)
}

function assertVersion(ifVersion: number | undefined): void {
  if (ifVersion === undefined || (Number.isSafeInteger(ifVersion) && ifVersion >= 0)) return
  throw new OutbusError('options.invalid', 'ifVersion is a whole number from 0', {
    path: 'ifVersion',
    received: ifVersion,
  })
}

function assertDistinct(writes: readonly KvWrite[]): void {
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

function conflict(collection: string, key: string, ifVersion: number): OutbusError {
  const expected = ifVersion === 0 ? 'is there already' : 'has another version, or is gone'
  return new OutbusError(
    'version.conflict',
    `the entry ${JSON.stringify(key)} of ${JSON.stringify(collection)} ${expected}`,
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
