import { statement } from '@outbus/core'

/** Callers: kv.set and kv.setMany, for entries without ifVersion. Keys in one order, to keep two batches from deadlocking. */
export const putEntries = statement<
  [apps: readonly string[], collections: readonly string[], keys: readonly string[], values: readonly string[]],
  { app_id: string; collection: string; key: string; version: string }
>(
  'kv_put_entries',
  `insert into {schema}.kv_entries (app_id, collection, key, value, version)
select app_id, collection, key, value::json, nextval('{schema}.kv_version_sequence')
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as entry (app_id, collection, key, value)
order by app_id collate "C", collection collate "C", key collate "C"
on conflict (app_id, collection, key) do update
set value = excluded.value, version = nextval('{schema}.kv_version_sequence'), updated_at = clock_timestamp()
returning app_id, collection, key, version`,
)
