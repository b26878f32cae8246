import { statement } from '@outbus/core/plugin'
import type { JsonValue } from '@outbus/core/plugin'

export interface EntryRow {
  readonly key: string
  readonly value: JsonValue
  readonly version: string
  readonly updated_at: Date
}

/** Caller: kv.get. */
export const getEntry = statement<[appId: string, collection: string, key: string], EntryRow>(
  'kv_get_entry',
  `select key, value, version, updated_at from {schema}.kv_entries where app_id = $1 and collection = $2 and key = $3`,
)
