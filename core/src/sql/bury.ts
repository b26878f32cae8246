import { statement } from './statement.ts'

/** Caller: Lane, in the claim's transaction: deliveries whose attempts are used up. */
export const bury = statement<
  [
    appIds: readonly string[],
    deliveryIds: readonly string[],
    sources: readonly string[],
    triggerIds: readonly string[],
    triggerNames: readonly string[],
    eventIds: readonly string[],
    events: readonly string[],
    eventVersions: readonly string[],
    triggers: readonly string[],
    priorities: readonly string[],
    depths: readonly string[],
    rootIds: readonly string[],
    chains: readonly (string | null)[],
    orderingKeys: readonly (string | null)[],
    traceContexts: readonly (string | null)[],
    dedupeKeys: readonly (string | null)[],
    replayOfs: readonly (string | null)[],
    attempts: readonly number[],
    failureKinds: readonly string[],
    reasons: readonly string[],
    errors: readonly string[],
    emittedAts: readonly string[],
  ],
  never
>(
  'bury',
  `insert into {schema}.dead_letters (app_id, delivery_id, source, trigger_id, trigger_name, event_id, event, event_version,
  trigger, priority, depth, root_id, chain, ordering_key, trace_context, dedupe_key, replay_of, attempts, failure_kind, reason,
  errors, emitted_at)
select app_id, delivery_id, source, trigger_id, trigger_name, event_id, event::json, event_version, trigger::json, priority,
  depth, root_id, chain::json, ordering_key, trace_context, dedupe_key, replay_of, attempts, failure_kind, reason,
  errors::json, emitted_at
from unnest($1::text[], $2::bigint[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::integer[], $9::text[],
  $10::smallint[], $11::smallint[], $12::uuid[], $13::text[], $14::text[], $15::text[], $16::text[], $17::bigint[],
  $18::integer[], $19::text[], $20::text[], $21::text[], $22::timestamptz[])
  as letter (app_id, delivery_id, source, trigger_id, trigger_name, event_id, event, event_version, trigger, priority, depth,
    root_id, chain, ordering_key, trace_context, dedupe_key, replay_of, attempts, failure_kind, reason, errors, emitted_at)`,
)
