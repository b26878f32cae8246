import { statement } from '@outbus/core/plugin'
import { DOCUMENT_COLUMNS } from './get-document.ts'
import type { DocumentRow } from './get-document.ts'

/** Caller: docs.update, replace, delete: what the event says of before is what the write changed. */
export const lockDocument = statement<[appId: string, collection: string, id: string], DocumentRow>(
  'docs_lock_document',
  `select ${DOCUMENT_COLUMNS} from {schema}.docs_documents
where app_id = $1 and collection = $2 and id = $3
for update`,
)
