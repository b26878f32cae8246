import { statement } from '@outbus/core/plugin'

/** Caller: kv.set with ifVersion: only over that version. No row: it is another one, or gone. */
export const replaceEntry = statement<
  [appId: string, collection: string, key: string, value: string, ifVersion: number],
  { version: string }
>(
  'kv_replace_entry',
  `update {schema}.kv_entries
set value = $4::json, version = nextval('{schema}.kv_version_sequence'), updated_at = clock_timestamp()
where app_id = $1 and collection = $2 and key = $3 and version = $5::bigint
returning version`,
)
