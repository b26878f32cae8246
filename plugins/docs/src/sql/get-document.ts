import { statement } from '@outbus/core/plugin'
import type { JsonObject } from '@outbus/core/plugin'

export interface DocumentRow {
  readonly id: string
  readonly content: JsonObject
  readonly version: string
  readonly created_at: Date
  readonly updated_at: Date
}

export const DOCUMENT_COLUMNS = 'id, content, version, created_at, updated_at'

/** Caller: docs.get, and whoever finds a dedupe key taken. */
export const getDocument = statement<[appId: string, collection: string, id: string], DocumentRow>(
  'docs_get_document',
  `select ${DOCUMENT_COLUMNS} from {schema}.docs_documents where app_id = $1 and collection = $2 and id = $3`,
)
