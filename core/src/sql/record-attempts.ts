import type { ArrayText } from './arrays.ts'
import { statement } from './statement.ts'

/** Caller: AttemptRecorder. Times are told as how long ago, so that they are the database's (G14). */
export const recordAttempts = statement<
  [
    appIds: ArrayText,
    deliveryIds: ArrayText,
    eventIds: ArrayText,
    triggerIds: ArrayText,
    triggerNames: ArrayText,
    sources: ArrayText,
    attempts: ArrayText,
    startedMsAgo: ArrayText,
    endedMsAgo: ArrayText,
    outcomes: ArrayText,
    errors: ArrayText,
    reasons: ArrayText,
  ],
  never
>(
  'record_attempts',
  `insert into {schema}.attempts (app_id, delivery_id, event_id, trigger_id, trigger_name, source, attempt, started_at, ended_at, outcome, error, reason)
select app_id, delivery_id, event_id, trigger_id, trigger_name, source, attempt,
  clock_timestamp() - started_ms_ago * interval '1 millisecond', clock_timestamp() - ended_ms_ago * interval '1 millisecond',
  outcome, error::jsonb, reason
from unnest($1::text[], $2::bigint[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::integer[],
  $8::double precision[], $9::double precision[], $10::text[], $11::text[], $12::text[])
  as ended (app_id, delivery_id, event_id, trigger_id, trigger_name, source, attempt, started_ms_ago, ended_ms_ago, outcome, error, reason)`,
)
