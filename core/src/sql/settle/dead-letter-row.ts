import type { AttemptError } from '../../contract/attempt-error.ts'
import type { JsonValue } from '../../contract/json.ts'
import { keptErrors } from './kept-errors.ts'

export interface DeadLetterRow {
  readonly id: string
  readonly app_id: string
  readonly delivery_id: string
  readonly source: string
  readonly trigger_id: string
  readonly trigger_name: string
  readonly event_id: string
  readonly event: JsonValue
  /** The snapshot, as `triggers/stored.ts` reads it. */
  readonly trigger: unknown
  readonly replay_of: string | null
  readonly attempts: number
  readonly failure_kind: string
  readonly reason: string
  readonly errors: readonly AttemptError[]
  readonly emitted_at: Date
  readonly died_at: Date
  readonly resolution: string | null
  readonly resolved_at: Date | null
  readonly depth: number
  readonly root_id: string
  readonly chain: readonly string[] | null
  readonly caller: string | null
}

export const DEAD_LETTER_COLUMNS =
  'id, app_id, delivery_id, source, trigger_id, trigger_name, event_id, event, trigger, replay_of, attempts, failure_kind, reason, errors, emitted_at, died_at, resolution, resolved_at, depth, root_id, chain, caller'

/** The parameters of {@link DEAD_LETTER_CONDITION}. A null does not restrict. */
export type DeadLetterFilterParameters = [
  appId: string,
  source: string | null,
  triggerId: string | null,
  triggerName: string | null,
  failureKind: string | null,
  diedAfter: string | null,
  diedBefore: string | null,
  /** 'unresolved', 'any', or one of the resolutions. */
  resolution: string,
  /** The trigger's registrant. */
  registrant: string | null,
]

/** The letters of a replay or discard. Both ids are inclusive. */
export type LetterRange = [fromId: string, toId: string, limit: number]

/** One condition for listing, counting, replaying and discarding, so that a dry run shows what will be done. */
export const DEAD_LETTER_CONDITION = `app_id = $1
  and ($2::text is null or source = $2)
  and ($3::uuid is null or trigger_id = $3)
  and ($4::text is null or trigger_name = $4)
  and ($5::text is null or failure_kind = $5)
  and ($6::timestamptz is null or died_at >= $6)
  and ($7::timestamptz is null or died_at < $7)
  and case $8::text when 'any' then true when 'unresolved' then resolution is null else resolution = $8 end
  and ($9::text is null or {schema}.name_in(trigger, 'registrant') = $9)`

/** From `gone`: rows that left the outbox, with failure_kind, reason and the error of the last attempt. */
export const DEAD_LETTER_WRITTEN = `insert into {schema}.dead_letters (app_id, delivery_id, source, trigger_id, trigger_name, event_id, event, event_version, trigger,
  priority, depth, root_id, chain, ordering_key, single, trace_context, dedupe_key, replay_of, attempts, failure_kind, reason, errors, emitted_at, caller)
select app_id, id, coalesce({schema}.name_in(trigger, 'source'), ''), trigger_id, coalesce({schema}.name_in(trigger, 'name'), ''), event_id, event, event_version, trigger,
  priority, depth, root_id, chain, ordering_key, single, trace_context, dedupe_key, replay_of, attempt, failure_kind, reason,
  ${keptErrors('errors', 'error')}, emitted_at, caller
from gone`
