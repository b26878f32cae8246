import { statement } from '../../postgres/statement.ts'

/** Caller: reserveDedupeKey, after a verb ended without its event. Only the event that took the key gives it back. */
export const releaseDedupeKey = statement<[appId: string, source: string, key: string, eventId: string]>(
  'release_dedupe_key',
  `delete from {schema}.dedupe_keys where app_id = $1 and source = $2 and key = $3 and event_id = $4`,
)
