import { AS_BEFORE, lockWait, WAITS_BOUNDED } from './lock-wait.ts'
import { statement } from '../../postgres/statement.ts'

/** Caller: reserveDedupeKey. Takes a key that is `free`, or whose window is over. */
export const reserveDedupeKeyRow = statement<
  [appId: string, source: string, key: string, eventId: string, windowMs: number],
  { free: boolean }
>(
  'reserve_dedupe_key',
  `with ${lockWait()}, taken as (
  insert into {schema}.dedupe_keys as d (app_id, source, key, event_id, expires_at)
  select $1, $2, $3, $4::uuid, clock_timestamp() + $5::double precision * interval '1 millisecond' where ${WAITS_BOUNDED}
  on conflict (app_id, source, key) do update set event_id = excluded.event_id, expires_at = excluded.expires_at
    where d.expires_at <= clock_timestamp()
  returning event_id
)
select exists (select from taken) as free, ${AS_BEFORE}`,
)
