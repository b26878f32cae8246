import { statement } from '@outbus/core/plugin'

/** Caller: docs.insert. No row where the id is taken. */
export const insertDocument = statement<
  [appId: string, collection: string, id: string, content: string],
  { version: string }
>(
  'docs_insert_document',
  `insert into {schema}.docs_documents (app_id, collection, id, content, version)
values ($1, $2, $3, $4::jsonb, nextval('{schema}.docs_version_sequence'))
on conflict do nothing
returning version`,
)
