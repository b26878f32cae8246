/** What `cx.docs` is: its verbs, what they take and what they answer. */
import type { EmitOptions, Page } from '@outbus/core'
import type { JsonObject, PageOptions } from '@outbus/core/plugin'

export interface StoredDocument {
  readonly id: string
  readonly content: JsonObject
  /** Grows with every write of the store; never the same twice for one id, not even after a delete. */
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
}

export interface DocsWritten {
  readonly id: string
  /** Of the document as it is now; of a deleted one, as it was. */
  readonly version: number
  /** Paths, sorted; empty where nothing was to be changed, and then nothing was written and no event emitted. */
  readonly changed: readonly string[]
  /** Undefined where no event was emitted. */
  readonly eventId: string | undefined
  /** Rows that the event made: one for each trigger that matched. */
  readonly deliveries: number
  /** The ids of those rows, as `cx.deliveries` takes them. */
  readonly deliveryIds: readonly string[]
  /**
   * True when the dedupe key was taken: neither document nor event was written. `id` is the one that was asked for, and
   * `version` that document's: 0 where it is not there.
   */
  readonly duplicate: boolean
}

export interface DocsInsertOptions extends EmitOptions {
  /** 1 to 255 bytes. Default a random uuid; with a `dedupeKey` it has to be given. */
  readonly id?: string
}

export interface DocsChangeOptions extends EmitOptions {
  /** Only where the document is at this version; `version.conflict` otherwise, also where it is gone. */
  readonly ifVersion?: number
}

export interface DocsFindOptions extends PageOptions {
  /** What the content contains, as Postgres's `@>` has it: `{ plan: 'pro', tags: ['a'] }`. Default everything. */
  readonly where?: JsonObject
}

/** Contents are JSON objects. An event, with what was before and what is now, is at most the bus's `maxEventBytes`. */
export interface DocsApi {
  /** `version.conflict` where the id is taken. */
  insert(collection: string, content: JsonObject, options?: DocsInsertOptions): Promise<DocsWritten>
  /** Undefined where there is no such document. */
  get(collection: string, id: string): Promise<StoredDocument | undefined>
  /** Merges the patch into the document as RFC 7396 says: null removes a member. Undefined where there is no such document. */
  update(
    collection: string,
    id: string,
    patch: JsonObject,
    options?: DocsChangeOptions,
  ): Promise<DocsWritten | undefined>
  /** Undefined where there is no such document. */
  replace(
    collection: string,
    id: string,
    content: JsonObject,
    options?: DocsChangeOptions,
  ): Promise<DocsWritten | undefined>
  /** Undefined where there is no such document. */
  delete(collection: string, id: string, options?: DocsChangeOptions): Promise<DocsWritten | undefined>
  /** By id, ascending in code point order. */
  find(collection: string, options?: DocsFindOptions): Promise<Page<StoredDocument>>
}
