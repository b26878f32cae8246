import { statement } from '@outbus/core/plugin'

/** Caller: docs.update and replace, under the lock of lock-document. */
export const writeDocument = statement<
  [appId: string, collection: string, id: string, content: string],
  { version: string }
>(
  'docs_write_document',
  `update {schema}.docs_documents
set content = $4::jsonb, version = nextval('{schema}.docs_version_sequence'), updated_at = clock_timestamp()
where app_id = $1 and collection = $2 and id = $3
returning version`,
)
