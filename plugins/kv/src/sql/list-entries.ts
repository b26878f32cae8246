import { statement } from '@outbus/core/plugin'
import type { EntryRow } from './get-entry.ts'

/** Caller: kv.list. By key, from `atLeast` (inclusive) and after `after`, up to `below` (exclusive): one range of the primary key. */
export const listEntries = statement<
  [appId: string, collection: string, atLeast: string, below: string | null, after: string | null, limit: number],
  EntryRow
>(
  'kv_list_entries',
  `select key, value, version, updated_at from {schema}.kv_entries
where app_id = $1 and collection = $2
  and key >= $3 and ($4::text is null or key < $4) and ($5::text is null or key > $5)
order by key
limit $6`,
)
