import { statement } from '@outbus/core/plugin'

/** Caller: kv.set with ifVersion 0: only if the key is not there. No row: it is. */
export const insertEntry = statement<
  [appId: string, collection: string, key: string, value: string],
  { version: string }
>(
  'kv_insert_entry',
  `insert into {schema}.kv_entries (app_id, collection, key, value, version)
values ($1, $2, $3, $4::json, nextval('{schema}.kv_version_sequence'))
on conflict (app_id, collection, key) do nothing
returning version`,
)
