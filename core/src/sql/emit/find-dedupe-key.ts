import { statement } from '../../postgres/statement.ts'

/** Callers: Emitter and reserveDedupeKey, to learn which event took a key first. */
export const findDedupeKey = statement<[appId: string, source: string, key: string], { event_id: string }>(
  'find_dedupe_key',
  `select event_id from {schema}.dedupe_keys where app_id = $1 and source = $2 and key = $3`,
)
