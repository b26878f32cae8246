import { statement } from '@outbus/core/plugin'
import { DOCUMENT_COLUMNS } from './get-document.ts'
import type { DocumentRow } from './get-document.ts'

/** Caller: docs.find. By id, after `after`. */
export const findDocuments = statement<
  [appId: string, collection: string, where: string, after: string | null, limit: number],
  DocumentRow
>(
  'docs_find_documents',
  `select ${DOCUMENT_COLUMNS} from {schema}.docs_documents
where app_id = $1 and collection = $2 and content @> $3::jsonb and ($4::text is null or id > $4)
order by id
limit $5`,
)
