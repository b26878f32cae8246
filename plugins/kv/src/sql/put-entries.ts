import { writeStatement } from '@outbus/core/plugin'

export type PutParameters = [
  apps: readonly string[],
  collections: readonly string[],
  keys: readonly string[],
  values: readonly string[],
]

/** Callers: kv.set and kv.setMany, for entries without ifVersion. Keys in one order, to keep two batches from deadlocking. */
export const putEntries = writeStatement<PutParameters>('kv_put_entries', {
  ctes: `entry as materialized (
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[])
    with ordinality as e (app_id, collection, key, value, n)
), put as (
  insert into {schema}.kv_entries (app_id, collection, key, value, version)
  select app_id, collection, key, value::json, nextval('{schema}.kv_version_sequence')
  from entry where {current}
  order by app_id collate "C", collection collate "C", key collate "C"
  on conflict (app_id, collection, key) do update
  set value = excluded.value, version = nextval('{schema}.kv_version_sequence'), updated_at = clock_timestamp()
  returning app_id, collection, key, version
)`,
  rows: `select entry.n, ('{"version":'::text || put.version::text || '}'::text)::json as generated
from entry join put using (app_id, collection, key)`,
})
