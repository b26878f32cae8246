/**
 * Callers: Emitter, for any events of any apps. The whole fan-out is one statement. Events, triggers and matching pairs
 * are three sets of arrays, so that each event is sent once.
 *
 * An app whose epoch is not the one of its index gets no rows, and `stale` has its epoch. NOTIFY is sent only while a
 * dispatcher is idle: in a hot commit path it serialises commits (DESIGN §5.8).
 */
import { LIMITED, LIMITED_TRANSACTIONAL, TRANSACTIONAL } from './single.ts'
import { IS_IN_LINE, inLine } from './in-line.ts'
import { AS_BEFORE, lockWait, WAITS_BOUNDED } from './lock-wait.ts'
import { statement } from '../../postgres/statement.ts'
import type { WithWriteStatement } from './write-statement.ts'
import type { WriteTexts } from '../../contract/write-statement.ts'
import { BESIDE, GENERATED, withGenerated, writtenWithin } from './write-statement.ts'
import type { EmitParameters, WaitingEmitParameters, EmitRow } from './parameters.ts'

const STALE = `stale as (
  select x.app_id, coalesce(e.content_id, '0') as epoch
  from unnest($1::text[], $2::text[]) as x (app_id, epoch)
  left join {schema}.trigger_epochs e on e.app_id = x.app_id
  where coalesce(e.content_id, '0') <> x.epoch
)`

const EVENT_COLUMNS = `app_id, event_id, event, event_version, priority, delay_ms, run_at, depth, root_id, chain, ordering_key, trace_context, reply_to, reply_timeout_ms, caller`
const EVENT_ARRAYS = `$8::text[], $9::uuid[], $10::text[], $11::integer[], $12::smallint[], $13::double precision[],
    $14::timestamptz[], $15::smallint[], $16::uuid[], $17::text[], $18::text[], $19::text[],
    $20::text[], $21::double precision[], $26::text[]`

const EVENTS = `unnest(${EVENT_ARRAYS}) with ordinality as e (${EVENT_COLUMNS}, n)`

const TRIGGERS = `unnest($5::uuid[], $6::text[], $7::smallint[], $23::boolean[], $24::smallint[]) with ordinality as t (id, snapshot, priority, ordered, single, n)`

/** Never before the clock at writing: nothing may appear where dispatchers have already looked (`starts.ts`). */
const DUE_AT = `greatest(coalesce(e.run_at, clock_timestamp() + e.delay_ms * interval '1 millisecond'), clock_timestamp())`

interface Written {
  readonly events: string
  readonly dedupeKey?: string
  readonly event?: string
  readonly beside?: string
  readonly conditions?: readonly string[]
  /** The order in which ids are drawn. Default: any. */
  readonly order?: string
}

function written({
  events,
  dedupeKey = 'null',
  event = 'e.event',
  beside = '',
  conditions = [],
  order = '',
}: Written): string {
  return `written as (
  insert into {schema}.outbox (priority, due_at, app_id, event_id, event, event_version, trigger_id, trigger,
    depth, root_id, chain, ordering_key, trace_context, reply_to, reply_by, single, dedupe_key, caller)
  select coalesce(e.priority, t.priority),
    ${DUE_AT},
    e.app_id, e.event_id, (${event})::json, e.event_version, t.id, t.snapshot::json,
    e.depth, e.root_id, e.chain::json, case when t.ordered and e.reply_to is null then coalesce(e.ordering_key, '') end, e.trace_context,
    e.reply_to, clock_timestamp() + e.reply_timeout_ms * interval '1 millisecond', case when e.reply_to is null or t.single in (${LIMITED}, ${LIMITED_TRANSACTIONAL}) then least(t.single, ${TRANSACTIONAL}) else 0 end, ${dedupeKey}, e.caller
  from unnest($3::integer[], $4::integer[]) as p (event, trigger)
  join ${events} on e.n = p.event
  join ${TRIGGERS} on t.n = p.trigger${beside}
  where ${['not exists (select from stale where stale.app_id = e.app_id)', ...conditions].join('\n    and ')}${order}
  returning id, event_id
)`
}

/** A dispatcher that is silent for a minute is gone. By time, old row versions are not read again (G13). */
export const IS_IDLE = `idle and seen_at > now() - interval '1 minute'`

/** For a statement that has `written`. */
export const NOTIFIED = (channel: string, wakes: string, anyWritten = 'exists (select from written)'): string =>
  `case when ${channel}::text is not null and ${anyWritten} and exists (select from {schema}.dispatchers where ${IS_IDLE})
    then pg_notify(${channel}, ${wakes}) end as notified`

/** Grouped by event, because the join returns pairs in any order. */
const IDS = `(select json_object_agg(event_id, ids)::text
    from (select event_id, string_agg(id::text, ',') as ids from written group by event_id) as of_event) as ids`

export const emitRows = statement<EmitParameters, EmitRow>(
  'emit_rows',
  `with ${STALE}, ${written({ events: EVENTS })}
select (select json_object_agg(app_id, epoch) from stale) as stale, ${NOTIFIED('$22', '$25')}, ${IDS}`,
)

/** As `emitUniformWithWrite`. */
export function emitRowsWithWrite(write: WriteTexts): WithWriteStatement<EmitParameters> {
  const current = `(select lock_timeout from lock_wait) is not null and not exists (select from stale)`
  return statement(
    `emit_rows_${write.name}`,
    `with ${STALE}, lock_wait as materialized (
  select set_config('lock_timeout', $27, true) as lock_timeout
), ${writtenWithin(write, { after: 27, ids: '$9', current })}, ${written({ events: EVENTS, event: withGenerated('e.event'), beside: BESIDE })}
select (select json_object_agg(app_id, epoch) from stale) as stale, ${GENERATED}, ${NOTIFIED('$22', '$25')}, ${IDS}`,
  )
}

/**
 * `emit_rows` with dedupe keys and ordered triggers.
 *
 * - An event is left out if its dedupe key is taken. A key whose window is over is taken over.
 * - A row of an ordered trigger draws its id, which is its place in line, after every earlier writer to the line has
 *   ended (`in-line.ts`). So ids follow commits.
 * - Keys and lines are locked in one order, so that two batches do not deadlock.
 * - `lock_timeout` bounds each wait, and is restored at the end.
 */
export const emitRowsWaiting = statement<WaitingEmitParameters, EmitRow>(
  'emit_rows_waiting',
  `with ${STALE}, event as materialized (
  select * from unnest(${EVENT_ARRAYS}, $27::text[], $28::text[], $29::double precision[])
    with ordinality as e (${EVENT_COLUMNS}, source, dedupe_key, dedupe_window_ms, n)
), ${lockWait('$30')}, fresh as (
  insert into {schema}.dedupe_keys as d (app_id, source, key, event_id, expires_at)
  select app_id, source, dedupe_key, event_id, clock_timestamp() + dedupe_window_ms * interval '1 millisecond'
  from event e
  where dedupe_window_ms is not null and ${WAITS_BOUNDED}
    and not exists (select from stale where stale.app_id = e.app_id)
  order by app_id, source, dedupe_key
  on conflict (app_id, source, key) do update set event_id = excluded.event_id, expires_at = excluded.expires_at
    where d.expires_at <= clock_timestamp()
  returning d.event_id
), ${inLine(`select e.app_id, t.id as trigger_id, e.ordering_key
  from unnest($3::integer[], $4::integer[]) as p (event, trigger)
  join event e on e.n = p.event
  join ${TRIGGERS} on t.n = p.trigger
  where t.ordered and e.reply_to is null and ${WAITS_BOUNDED}
    and not exists (select from stale where stale.app_id = e.app_id)`)}, ${written({
    events: 'event e',
    dedupeKey: 'e.dedupe_key',
    conditions: [
      IS_IN_LINE,
      '(e.dedupe_window_ms is null or exists (select from fresh where fresh.event_id = e.event_id))',
    ],
    // Within one call, a line keeps the order of the call. A join keeps none.
    order: '\n  order by p.event',
  })}
select (select json_object_agg(app_id, epoch) from stale) as stale,
  array(select event_id::text from fresh) as fresh, ${NOTIFIED('$22', '$25')}, ${IDS}, ${AS_BEFORE}`,
)
