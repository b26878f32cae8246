import { erasedBatch, payloadMatches, statement } from '@outbus/core/plugin'
import type { ErasedBatch, PayloadPattern } from '@outbus/core/plugin'

/**
 * Caller: bus.apps.eraseData. By the primary key; a document is matched as the events that tell of it, in which its content is what was or
 * what is.
 */
export const eraseDocuments = statement<
  [appId: string, collection: string, id: string, limit: number, ...pattern: PayloadPattern, dryRun: boolean],
  ErasedBatch
>(
  'docs_erase_documents',
  `with batch as materialized (
  select collection, id as document, json_build_array(collection, id)::text as id,
    json_build_object('collection', collection, 'id', id, 'before', content, 'after', content) as event
  from {schema}.docs_documents where app_id = $1 and (collection, id) > ($2, $3) order by collection, docs_documents.id limit $4
), looked as materialized (
  select id, collection, document, ${payloadMatches('event', 5)} as matches from batch
), free as materialized (
  select d.ctid as at from looked join {schema}.docs_documents d
    on d.app_id = $1 and d.collection = looked.collection and d.id = looked.document
  where matches and not $8 for update of d skip locked
), erased as (
  delete from {schema}.docs_documents where ctid = any (array(select at from free)) returning 1
)
${erasedBatch('collection desc, document desc')}`,
)
