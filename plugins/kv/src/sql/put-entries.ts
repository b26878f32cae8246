import { statement } from '@outbus/core'

/** Caller: kv.set and kv.setMany, for entries without ifVersion. Keys in one order, to keep two batches from deadlocking. */
export const putEntries = statement<
  [appId: string, collections: readonly string[], keys: readonly string[], values: readonly string[]],
  { collection: string; key: string; version: string }
>(
  'kv_put_entries',
  `insert into {schema}.kv_entries (app_id, collection, key, value, version)
select $1, collection, key, value::json, nextval('{schema}.kv_version_sequence')
from unnest($2::text[], $3::text[], $4::text[]) as entry (collection, key, value)
order by collection, key collate "C"
on conflict (app_id, collection, key) do update
set value = excluded.value, version = nextval('{schema}.kv_version_sequence'), updated_at = clock_timestamp()
returning collection, key, version`,
)
