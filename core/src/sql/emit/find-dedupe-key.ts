import { statement } from '../../postgres/statement.ts'

/** Caller: Emitter, for an event whose dedupe key was taken: which event took it first. */
export const findDedupeKey = statement<[appId: string, source: string, key: string], { event_id: string }>(
  'find_dedupe_key',
  `select event_id from {schema}.dedupe_keys where app_id = $1 and source = $2 and key = $3`,
)
