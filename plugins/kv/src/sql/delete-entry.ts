import { statement } from '@outbus/core/plugin'

/** Caller: kv.delete. Answers with the version that was deleted. */
export const deleteEntry = statement<
  [appId: string, collection: string, key: string, ifVersion: number | null],
  { version: string }
>(
  'kv_delete_entry',
  `delete from {schema}.kv_entries
where app_id = $1 and collection = $2 and key = $3 and ($4::bigint is null or version = $4)
returning version`,
)
