/** How a source erases what it stores about somebody: one batch of one of its tables, by its primary key. */
import type { Statement } from './statement.ts'

/** What is sought, as `payload_matches` takes it. */
export type PayloadPattern = readonly [contained: string | null, path: string | null, wanted: string | null]

/** What a source is handed to erase some rows of one of its tables. */
export interface ErasureBatch {
  readonly app: string
  /** The three parameters of `payloadMatches`. */
  readonly pattern: PayloadPattern
  /** Only count. */
  readonly dryRun: boolean
  /** `upTo` of the batch before; undefined for the first one. */
  readonly after: string | undefined
  /** Rows to look at. */
  readonly limit: number
  /** In a transaction of the batch's own. */
  run<P extends readonly unknown[], Row>(stated: Statement<P, Row>, parameters: P): Promise<Row[]>
}

/** What one batch came to. */
export interface ErasedBatch {
  /** Where the next batch goes on; null: there was nothing left. */
  readonly upTo: string | null
  /** Rows that are meant. */
  readonly found: number
  readonly erased: number
  /** Rows of the app that cannot be read, so that nobody can say whether they are meant. */
  readonly unreadable: number
  /** At most ten of those that are meant. */
  readonly ids: readonly string[]
}
