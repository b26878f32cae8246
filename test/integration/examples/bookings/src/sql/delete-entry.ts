import { statement } from '@outbus/core/plugin'
import type { JsonValue } from '@outbus/core/plugin'

/** Caller: bookings.remove. No row where there is no such entry in the app. */
export const deleteEntry = statement<[appId: string, id: string], { topic: string; body: JsonValue }>(
  'bookings_delete_entry',
  'delete from {schema}.bookings_entries where app_id = $1 and id = $2::bigint returning topic, body',
)
