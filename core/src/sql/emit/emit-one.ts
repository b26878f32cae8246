import type { EmitRow } from './parameters.ts'
import { IS_IDLE } from './emit-rows.ts'
import { statement } from '../../postgres/statement.ts'

/** Takes parameters 1 to 13 of `emit_one`. Inserts nothing if the epoch differs. */
export const INSERT_ONE = `insert into {schema}.outbox (priority, due_at, app_id, event_id, event, event_version, trigger_id, trigger,
  depth, root_id, chain, trace_context, caller)
select $8::smallint, clock_timestamp(), $1, $3::uuid, $4::json, $5::integer, $6::uuid, $7::json,
  $9::smallint, coalesce($10::uuid, $3::uuid), $11::json, $12, $13
where (select content_id from {schema}.trigger_epochs where app_id = $1) = $2`

export type InsertOneParameters = [
  appId: string,
  expectedEpoch: string,
  eventId: string,
  event: string,
  eventVersion: number,
  triggerId: string,
  triggerSnapshot: string,
  triggerPriority: number,
  depth: number,
  /** Null: the event is its own root. */
  rootId: string | null,
  chain: string | null,
  traceContext: string | null,
  caller: string | null,
]

/**
 * Caller: Emitter, for one event without options that matches one trigger, as most emits of a lone caller do. Without
 * arrays to unpack it costs Postgres half of `emit_uniform`. No row: the epoch differed.
 */
export const emitOne = statement<
  [
    ...InsertOneParameters,
    /** Null: nobody is notified, because the emitter wakes a lane directly. */
    channel: string | null,
    wakes: string,
  ],
  Pick<EmitRow, 'notified'> & { readonly id: string }
>(
  'emit_one',
  `${INSERT_ONE}
returning id::text, case when $14::text is not null and exists (select from {schema}.dispatchers where ${IS_IDLE})
  then pg_notify($14, $15) end as notified`,
)
