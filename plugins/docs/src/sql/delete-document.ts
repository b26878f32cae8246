import { statement } from '@outbus/core/plugin'

/** Caller: docs.delete, under the lock of lock-document. */
export const deleteDocument = statement<[appId: string, collection: string, id: string], never>(
  'docs_delete_document',
  `delete from {schema}.docs_documents where app_id = $1 and collection = $2 and id = $3`,
)
