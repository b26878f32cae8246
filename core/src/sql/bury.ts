import { statement } from './statement.ts'

/** Caller: Settlement: from the outbox to the dead letters, with all they carry. Fenced by the token as in finish.ts. */
export const bury = statement<
  [
    ids: readonly string[],
    failureKinds: readonly string[],
    reasons: readonly string[],
    errors: readonly string[],
    heldToken: string | null,
  ],
  never
>(
  'bury',
  `with last as (
  select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) as last (id, failure_kind, reason, error)
), gone as (
  delete from {schema}.outbox o using last where o.id = last.id and o.lease_token is not distinct from $5::uuid
  returning o.*, last.failure_kind, last.reason, last.error
)
insert into {schema}.dead_letters (app_id, delivery_id, source, trigger_id, trigger_name, event_id, event, event_version, trigger,
  priority, depth, root_id, chain, ordering_key, trace_context, dedupe_key, replay_of, attempts, failure_kind, reason, errors, emitted_at)
select app_id, id, trigger ->> 'source', trigger_id, trigger ->> 'name', event_id, event, event_version, trigger,
  priority, depth, root_id, chain, ordering_key, trace_context, dedupe_key, replay_of, attempt, failure_kind, reason,
  coalesce(errors, '[]') || error::jsonb, emitted_at
from gone`,
)
