import { statement } from './statement.ts'

/**
 * Callers: Emitter, for one event or many, of one app or several. The whole fan-out in one statement: events,
 * triggers and the pairs that match are three sets of arrays, so that an event which a hundred triggers match is
 * sent once.
 *
 * Nothing is written for an app whose epoch is not the one that the index was built from; `stale` names it with
 * the epoch that this statement sees. NOTIFY is sent only while a dispatcher says that it is idle: in a hot commit
 * path it serialises commits (DESIGN §5.8).
 */
export type EmitParameters = [
  expectedApps: readonly string[],
  expectedEpochs: readonly string[],
  pairEvents: readonly number[],
  pairTriggers: readonly number[],
  triggerIds: readonly string[],
  triggerSnapshots: readonly string[],
  triggerPriorities: readonly number[],
  appIds: readonly string[],
  eventIds: readonly string[],
  events: readonly string[],
  eventVersions: readonly number[],
  priorities: readonly (number | null)[],
  delaysMs: readonly number[],
  runAts: readonly (string | null)[],
  depths: readonly number[],
  rootIds: readonly string[],
  chains: readonly (string | null)[],
  orderingKeys: readonly (string | null)[],
  traceContexts: readonly (string | null)[],
  /** The inbox that waits for the reply; null for what is no request. */
  replyTos: readonly (string | null)[],
  /** How long it waits; null: for no time, the reply is to be kept. */
  replyTimeoutsMs: readonly (number | null)[],
  /** Null: notify nobody, since nothing is due yet. */
  channel: string | null,
]

export type DedupedEmitParameters = [
  ...EmitParameters,
  sources: readonly string[],
  dedupeKeys: readonly (string | null)[],
  /** Null: there is no key to take, or the event has it already. */
  dedupeWindowsMs: readonly (number | null)[],
  /** How long to wait for another transaction that has taken the same key; null: as long as the session says. */
  lockTimeout: string | null,
]

export interface EmitRow {
  /** App to the epoch that the statement saw, for each app whose expected epoch is not it. */
  readonly stale: Record<string, string> | null
  /** Event ids whose dedupe key was free. Only of the deduped statement. */
  readonly fresh?: readonly string[]
  readonly notified: unknown
}

const STALE = `stale as (
  select x.app_id, coalesce(e.epoch, 0) as epoch
  from unnest($1::text[], $2::bigint[]) as x (app_id, epoch)
  left join {schema}.trigger_epochs e on e.app_id = x.app_id
  where coalesce(e.epoch, 0) <> x.epoch
)`

const EVENT_COLUMNS = `app_id, event_id, event, event_version, priority, delay_ms, run_at, depth, root_id, chain, ordering_key, trace_context, reply_to, reply_timeout_ms`
const EVENT_ARRAYS = `$8::text[], $9::uuid[], $10::text[], $11::integer[], $12::smallint[], $13::double precision[],
    $14::timestamptz[], $15::smallint[], $16::uuid[], $17::text[], $18::text[], $19::text[],
    $20::text[], $21::double precision[]`

function written(events: string, dedupe: { column: string; where: string }): string {
  return `written as (
  insert into {schema}.outbox (priority, due_at, app_id, event_id, event, event_version, trigger_id, trigger,
    depth, root_id, chain, ordering_key, trace_context, reply_to, reply_by, dedupe_key)
  select coalesce(e.priority, t.priority),
    coalesce(e.run_at, clock_timestamp() + e.delay_ms * interval '1 millisecond'),
    e.app_id, e.event_id, e.event::json, e.event_version, t.id, t.snapshot::json,
    e.depth, e.root_id, e.chain::json, e.ordering_key, e.trace_context,
    e.reply_to, clock_timestamp() + e.reply_timeout_ms * interval '1 millisecond', ${dedupe.column}
  from unnest($3::integer[], $4::integer[]) as p (event, trigger)
  join ${events} on e.n = p.event
  join unnest($5::uuid[], $6::text[], $7::smallint[]) with ordinality as t (id, snapshot, priority, n) on t.n = p.trigger
  where not exists (select from stale where stale.app_id = e.app_id)${dedupe.where}
  returning id
)`
}

const NOTIFIED = `case when $22::text is not null and exists (select from written) and exists (select from {schema}.dispatchers where idle)
    then pg_notify($22, '') end as notified`

export const emitRows = statement<EmitParameters, EmitRow>(
  'emit_rows',
  `with ${STALE}, ${written(`unnest(${EVENT_ARRAYS}) with ordinality as e (${EVENT_COLUMNS}, n)`, { column: 'null', where: '' })}
select (select json_object_agg(app_id, epoch::text) from stale) as stale, ${NOTIFIED}`,
)

/**
 * The same with dedupe keys. A key that is taken leaves its event out; one whose window is over is taken over.
 * Keys are taken in one order, to keep two batches from deadlocking. An event whose window is null takes no key.
 */
export const emitRowsDeduped = statement<DedupedEmitParameters, EmitRow>(
  'emit_rows_deduped',
  `with ${STALE}, event as (
  select * from unnest(${EVENT_ARRAYS}, $23::text[], $24::text[], $25::double precision[])
    with ordinality as e (${EVENT_COLUMNS}, source, dedupe_key, dedupe_window_ms, n)
), patience as materialized (
  select case when $26::text is null then '' else set_config('lock_timeout', $26, true) end as lock_timeout
), fresh as (
  insert into {schema}.dedupe_keys as d (app_id, source, key, event_id, expires_at)
  select app_id, source, dedupe_key, event_id, clock_timestamp() + dedupe_window_ms * interval '1 millisecond'
  from event e
  where dedupe_window_ms is not null and (select lock_timeout from patience) is not null
    and not exists (select from stale where stale.app_id = e.app_id)
  order by app_id, source, dedupe_key
  on conflict (app_id, source, key) do update set event_id = excluded.event_id, expires_at = excluded.expires_at
    where d.expires_at <= clock_timestamp()
  returning d.event_id
), ${written('event e', {
    column: 'e.dedupe_key',
    where: `\n    and (e.dedupe_window_ms is null or exists (select from fresh where fresh.event_id = e.event_id))`,
  })}
select (select json_object_agg(app_id, epoch::text) from stale) as stale,
  array(select event_id::text from fresh) as fresh, ${NOTIFIED}`,
)
