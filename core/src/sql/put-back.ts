import { statement } from './statement.ts'

/**
 * Caller: Lane, in the claim's transaction: rows that were claimed and are not finished go back under their own id.
 * `due_at` null means `delay_ms` from now by the database's clock.
 */
export const putBack = statement<
  [
    ids: readonly string[],
    priorities: readonly string[],
    alone: readonly boolean[],
    dueAts: readonly (string | null)[],
    delaysMs: readonly number[],
    attempts: readonly number[],
    leaseTokens: readonly (string | null)[],
    appIds: readonly string[],
    eventIds: readonly string[],
    events: readonly string[],
    eventVersions: readonly string[],
    triggerIds: readonly string[],
    triggers: readonly string[],
    depths: readonly string[],
    rootIds: readonly string[],
    chains: readonly (string | null)[],
    orderingKeys: readonly (string | null)[],
    replyTos: readonly (string | null)[],
    traceContexts: readonly (string | null)[],
    dedupeKeys: readonly (string | null)[],
    replayOfs: readonly (string | null)[],
    errors: readonly (string | null)[],
    emittedAts: readonly string[],
  ],
  never
>(
  'put_back',
  `insert into {schema}.outbox (id, priority, alone, due_at, attempt, lease_token, app_id, event_id, event, event_version,
  trigger_id, trigger, depth, root_id, chain, ordering_key, reply_to, trace_context, dedupe_key, replay_of, errors, emitted_at)
select id, priority, alone, coalesce(due_at, clock_timestamp() + delay_ms * interval '1 millisecond'), attempt, lease_token,
  app_id, event_id, event::json, event_version, trigger_id, trigger::json, depth, root_id, chain::json, ordering_key, reply_to,
  trace_context, dedupe_key, replay_of, errors::json, emitted_at
from unnest($1::bigint[], $2::smallint[], $3::boolean[], $4::timestamptz[], $5::double precision[], $6::integer[], $7::uuid[],
  $8::text[], $9::uuid[], $10::text[], $11::integer[], $12::uuid[], $13::text[], $14::smallint[], $15::uuid[], $16::text[],
  $17::text[], $18::text[], $19::text[], $20::text[], $21::bigint[], $22::text[], $23::timestamptz[])
  as row (id, priority, alone, due_at, delay_ms, attempt, lease_token, app_id, event_id, event, event_version, trigger_id,
    trigger, depth, root_id, chain, ordering_key, reply_to, trace_context, dedupe_key, replay_of, errors, emitted_at)`,
)
