import { statement } from './statement.ts'

/** Caller: reserveDedupeKey. Takes a key that is free, or whose window is over. No row: it is taken. */
export const reserveDedupeKeyRow = statement<
  [appId: string, source: string, key: string, eventId: string, windowMs: number],
  { event_id: string }
>(
  'reserve_dedupe_key',
  `insert into {schema}.dedupe_keys as d (app_id, source, key, event_id, expires_at)
values ($1, $2, $3, $4, clock_timestamp() + $5::double precision * interval '1 millisecond')
on conflict (app_id, source, key) do update set event_id = excluded.event_id, expires_at = excluded.expires_at
  where d.expires_at <= clock_timestamp()
returning event_id`,
)
