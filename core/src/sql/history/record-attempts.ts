import type { ArrayText } from '../../postgres/arrays.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * Caller: AttemptRecorder. Times are given as how long ago, so that they are the database's (G14). What attempts share
 * is sent once a trigger: reading the arrays was a quarter of the cost.
 */
export const recordAttempts = statement<
  [
    appIds: ArrayText,
    triggerIds: ArrayText,
    triggerNames: ArrayText,
    sources: ArrayText,
    /** For each attempt its trigger's place in the arrays above, from 1. */
    triggers: ArrayText,
    deliveryIds: ArrayText,
    eventIds: ArrayText,
    attempts: ArrayText,
    startedMsAgo: ArrayText,
    endedMsAgo: ArrayText,
    outcomes: ArrayText,
    errors: ArrayText,
    reasons: ArrayText,
    callers: ArrayText,
  ],
  never
>(
  'record_attempts',
  `insert into {schema}.attempts (app_id, delivery_id, event_id, trigger_id, trigger_name, source, attempt, started_at, ended_at, outcome, error, reason, caller)
select ($1::text[])[trigger], delivery_id, event_id, ($2::uuid[])[trigger], ($3::text[])[trigger], ($4::text[])[trigger], attempt,
  statement_timestamp() - started_ms_ago * interval '1 millisecond', statement_timestamp() - ended_ms_ago * interval '1 millisecond',
  outcome, error::jsonb, reason, caller
from unnest($5::integer[], $6::bigint[], $7::uuid[], $8::integer[],
  $9::double precision[], $10::double precision[], $11::text[], $12::text[], $13::text[], $14::text[])
  as ended (trigger, delivery_id, event_id, attempt, started_ms_ago, ended_ms_ago, outcome, error, reason, caller)`,
)
