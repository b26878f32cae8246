/** The verbs at `cx.docs`. Every mutation and the rows of its triggers commit together, in the caller's transaction when there is one. */
import { randomUUID } from 'node:crypto'
import { isOutbusError, OutbusError } from '@outbus/core'
import type { EmitOptions, EmitResult } from '@outbus/core'
import {
  assertSaysSomething,
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
import type { JsonObject, SourceContext, SourceTransaction } from '@outbus/core/plugin'
import { z } from 'zod'
import { changedPaths } from './changed-paths.ts'
import type { DocsApi, DocsChangeOptions, DocsInsertOptions, DocsWritten, StoredDocument } from './docs-api.ts'
import type { docsEvents } from './events.ts'
import { assertCollection, assertDocumentId } from './events.ts'
import { isObject } from './is-object.ts'
import { mergePatch } from './merge-patch.ts'
import { deleteDocument } from './sql/delete-document.ts'
import { findDocuments } from './sql/find-documents.ts'
import { getDocument } from './sql/get-document.ts'
import type { DocumentRow } from './sql/get-document.ts'
import { insertDocument } from './sql/insert-document.ts'
import { lockDocument } from './sql/lock-document.ts'
import { writeDocument } from './sql/write-document.ts'

type Context = SourceContext<typeof docsEvents>
type DocsServiceEvent = Parameters<Context['emit']>[0]

const insertOptions = emitOptionsSchema.extend({ id: z.unknown().optional() })
const changeOptions = emitOptionsSchema.extend({ ifVersion: z.int().min(0).exactOptional() })
const findOptions = z.strictObject({ ...pageSchema, where: z.unknown().optional() })

const LONGEST_VERSION = Number.MAX_SAFE_INTEGER

export function docsApi(context: Context): DocsApi {
  const { app } = context
  const read = (given: unknown, path: string) => readObject(given, path, context.maxEventBytes)

  return {
    async insert(collection, given, options = {}) {
      assertCollection(collection)
      const parsed = parseWith(insertOptions, options, { code: 'options.invalid', what: 'docs.insert' })
      const { id = idFor(parsed.dedupeKey), ...emitOptions } = parsed as DocsInsertOptions
      assertDocumentId(id)
      const { value: after, text } = read(given, 'content')
      await context.authorize('insert', { collection, id, content: after, ...emitOptionFacts(emitOptions) })
      const event = {
        op: 'created' as const,
        collection,
        id,
        after,
        changed: changedPaths(undefined, after, context.maxEventBytes),
      }
      context.check({ ...event, version: LONGEST_VERSION }, emitOptions)
      return context.transaction(async (tx) => {
        await tx.expectMatch([{ ...event, version: LONGEST_VERSION }], [emitOptions])
        const reservation = await tx.reserve(emitOptions)
        if (reservation.takenBy !== undefined) return duplicateOf(app, tx, collection, id, reservation.takenBy)
        const [row] = await tx.run(insertDocument, [app, collection, id, text])
        if (row === undefined) {
          await reservation.release()
          throw conflict(collection, id, 'id', id, 'is there already')
        }
        return emitted(tx, { ...event, version: Number(row.version) }, emitOptions)
      })
    },

    async get(collection, id) {
      assertAddress(collection, id)
      await context.authorize('get', { collection, id })
      const [row] = await context.run(getDocument, [app, collection, id])
      return row === undefined ? undefined : toDocument(row)
    },

    async update(collection, id, patch, options = {}) {
      assertAddress(collection, id)
      const { value } = read(patch, 'patch')
      const ask = { verb: 'update', more: { patch: value } }
      return change(context, ask, collection, id, options, (before) => mergePatch(before, value) as JsonObject)
    },

    async replace(collection, id, content, options = {}) {
      assertAddress(collection, id)
      const { value } = read(content, 'content')
      const ask = { verb: 'replace', more: { content: value } }
      return change(context, ask, collection, id, options, () => value)
    },

    async delete(collection, id, options = {}) {
      assertAddress(collection, id)
      return change(context, { verb: 'delete', more: {} }, collection, id, options, () => undefined)
    },

    async find(collection, options = {}) {
      assertCollection(collection)
      const { limit, cursor, ...given } = parseWith(findOptions, options, {
        code: 'options.invalid',
        what: 'docs.find',
      })
      const { text } = 'where' in given && given.where !== undefined ? read(given.where, 'where') : { text: '{}' }
      // JSON leaves out what is undefined.
      assertSaysSomething(given, { code: 'options.invalid', what: 'docs.find', path: '' })
      await context.authorize('find', { collection, where: 'where' in given ? given.where : undefined })
      const listing = ['docs', app, collection, text]
      const size = pageLimit(limit)
      const after = decodeCursor(listing, cursor, assertDocumentId)
      const rows = await context.run(findDocuments, [app, collection, text, after ?? null, size + 1])
      return toPage(rows.map(toDocument), size, (last) => encodeCursor(listing, last.id))
    },
  }
}

/** Locks the document, and writes and emits what `to` makes of it; undefined from `to` deletes it. */
async function change(
  context: Context,
  ask: { readonly verb: string; readonly more: object },
  collection: string,
  id: string,
  options: DocsChangeOptions,
  to: (before: JsonObject) => JsonObject | undefined,
): Promise<DocsWritten | undefined> {
  const { app } = context
  const parsed = parseWith(changeOptions, options, { code: 'options.invalid', what: 'docs' })
  const { ifVersion, ...emitOptions } = parsed as DocsChangeOptions
  await context.authorize(ask.verb, { collection, id, ...ask.more, ...emitOptionFacts(emitOptions) })
  return context.transaction(async (tx) => {
    const reservation = await tx.reserve(emitOptions)
    if (reservation.takenBy !== undefined) return duplicateOf(app, tx, collection, id, reservation.takenBy)
    const [row] = await tx.run(lockDocument, [app, collection, id])
    const version = row === undefined ? undefined : Number(row.version)
    if (ifVersion !== undefined && version !== ifVersion) {
      await reservation.release()
      throw conflict(collection, id, 'ifVersion', ifVersion, 'has another version, or is gone')
    }
    if (row === undefined) {
      await reservation.release()
      return undefined
    }
    const before = row.content
    const after = to(before)
    let event: DocsServiceEvent | undefined
    try {
      event = changeEvent(context, { collection, id, before }, after, emitOptions)
      if (event !== undefined) await tx.expectMatch([event], [emitOptions])
    } catch (error) {
      // The caller's transaction may go on: nothing is written, so the key is free.
      await reservation.release()
      throw error
    }
    if (event === undefined) {
      await reservation.release()
      return {
        id,
        version: Number(row.version),
        changed: [],
        eventId: undefined,
        deliveries: 0,
        deliveryIds: [],
        duplicate: false,
      }
    }
    if (after === undefined) {
      await tx.run(deleteDocument, [app, collection, id])
      return emitted(tx, { ...event, version: Number(row.version) }, emitOptions)
    }
    const [written] = await tx.run(writeDocument, [app, collection, id, JSON.stringify(after)])
    return emitted(tx, { ...event, version: Number(written?.version) }, emitOptions)
  })
}

/** Undefined where nothing changes. Refused is what an emit would refuse, before anything is written. */
function changeEvent(
  context: Context,
  about: { readonly collection: string; readonly id: string; readonly before: JsonObject },
  after: JsonObject | undefined,
  options: EmitOptions,
): DocsServiceEvent | undefined {
  const changed = changedPaths(about.before, after, context.maxEventBytes)
  if (after !== undefined && changed.length === 0) return undefined
  const changes = { ...about, changed, version: LONGEST_VERSION }
  const event: DocsServiceEvent =
    after === undefined ? { op: 'deleted', ...changes } : { op: 'updated', ...changes, after }
  try {
    context.check(event, options)
  } catch (error) {
    if (!isOutbusError(error) || error.code !== 'payload.too_large') throw error
    throw new OutbusError('payload.too_large', `the event of the change is too large: ${error.message}`, {
      path: error.path ?? '',
      limit: context.maxEventBytes,
      hint: 'it carries what was and what is now: docs({ carry }) lets it carry less',
      cause: error,
    })
  }
  return event
}

async function emitted(
  tx: SourceTransaction<typeof docsEvents>,
  event: DocsServiceEvent,
  options: EmitOptions,
): Promise<DocsWritten> {
  const [result] = (await tx.emit([event], [options])) as [EmitResult]
  return { ...result, id: event.id, version: event.version, changed: event.changed }
}

async function duplicateOf(
  app: string,
  tx: SourceTransaction<typeof docsEvents>,
  collection: string,
  id: string,
  eventId: string,
): Promise<DocsWritten> {
  const [present] = await tx.run(getDocument, [app, collection, id])
  return {
    id,
    version: Number(present?.version ?? 0),
    changed: [],
    eventId,
    deliveries: 0,
    deliveryIds: [],
    duplicate: true,
  }
}

function readObject(given: unknown, path: string, maxBytes: number): { value: JsonObject; text: string } {
  const { value, text } = readJson(given, { path, maxBytes })
  if (isObject(value)) return { value, text }
  throw new OutbusError('payload.unsupported_type', `${path} is a JSON object`, { path, received: given })
}

function idFor(dedupeKey: string | undefined): string {
  if (dedupeKey === undefined) return randomUUID()
  const hint = 'a repeated insert could not say which document the first one made'
  throw new OutbusError('options.invalid', 'docs.insert: with a dedupeKey goes an id', { path: 'id', hint })
}

function assertAddress(collection: unknown, id: unknown): void {
  assertCollection(collection)
  assertDocumentId(id)
}

function conflict(collection: string, id: string, path: string, received: unknown, found: string): OutbusError {
  return new OutbusError(
    'version.conflict',
    `the document ${JSON.stringify(id)} of ${JSON.stringify(collection)} ${found}`,
    { path, received, hint: 'read it again and decide anew' },
  )
}

function toDocument(row: DocumentRow): StoredDocument {
  const { id, content, version, created_at: createdAt, updated_at: updatedAt } = row
  return { id, content, version: Number(version), createdAt, updatedAt }
}
