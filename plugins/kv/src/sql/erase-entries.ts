import { erasedBatch, payloadMatches, statement } from '@outbus/core/plugin'
import type { ErasedBatch, PayloadPattern } from '@outbus/core/plugin'

/** Caller: bus.apps.eraseData. By the primary key; an entry is matched as the event that tells of it. */
export const eraseEntries = statement<
  [appId: string, collection: string, key: string, limit: number, ...pattern: PayloadPattern, dryRun: boolean],
  ErasedBatch
>(
  'kv_erase_entries',
  `with batch as materialized (
  select collection, key, json_build_array(collection, key)::text as id,
    json_build_object('op', 'set', 'collection', collection, 'key', key, 'value', value) as event
  from {schema}.kv_entries where app_id = $1 and (collection, key) > ($2, $3) order by collection, key limit $4
), looked as materialized (
  select id, collection, key, ${payloadMatches('event', 5)} as matches from batch
), free as materialized (
  select e.ctid as at from looked join {schema}.kv_entries e
    on e.app_id = $1 and e.collection = looked.collection and e.key = looked.key
  where matches and not $8 for update of e skip locked
), erased as (
  delete from {schema}.kv_entries where ctid = any (array(select at from free)) returning 1
)
${erasedBatch('collection desc, key desc')}`,
)
