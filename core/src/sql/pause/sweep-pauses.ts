import { isLeased } from '../claim/lease-end.ts'
import { statement } from '../../postgres/statement.ts'

export interface ChosenPause {
  readonly app_id: string
  readonly trigger_id: string
  /** Null: nothing is discarded. A text, because it may be infinite. */
  readonly discard_before: string | null
  /** Replays written until then are discarded too. Null: none. */
  readonly discard_replays_before: string | null
  readonly sweep_from: string
  readonly sweep_is_clean: boolean
  readonly disabled: boolean
  /** No transaction from before the change can commit rows any more. */
  readonly is_over: boolean
}

/**
 * Caller: sweepPauses, first in its transaction, for one trigger that no other dispatcher has. A transaction number of
 * an earlier database, as after a restore, counts as over: here it may still be to come.
 */
export const choosePause = statement<[], ChosenPause>(
  'choose_pause',
  `select app_id, trigger_id, discard_before::text as discard_before,
  case when discard_before is not null then least(discard_before, changed_at) end::text as discard_replays_before,
  sweep_from::text as sweep_from, sweep_is_clean, disabled,
  changed_by < pg_snapshot_xmin(pg_current_snapshot()) or changed_by >= pg_snapshot_xmax(pg_current_snapshot()) as is_over
from {schema}.pauses
where (disabled or discard_before is not null) and not swept and sweep_after <= clock_timestamp()
order by sweep_after limit 1 for update skip locked`,
)

/** Of a row `o` of the outbox. */
const IS_DISCARDED = `($5::timestamptz is not null and o.emitted_at <= $5 and (o.replayed_at is null or o.replayed_at <= $7::timestamptz))`

/**
 * Caller: sweepPauses, for one bite of the outbox. Withdraws what was emitted in time and parks the rest. A replay
 * counts by when it was written, as a decision of its own. Rows taken one by one are not parked, because takes ask for
 * pauses. `left` counts rows in somebody's hands.
 */
export const sweepOutbox = statement<
  [
    appId: string,
    triggerId: string,
    after: string,
    to: string,
    discardBefore: string | null,
    parks: boolean,
    discardReplaysBefore: string | null,
    latest: number,
  ],
  { left: number }
>(
  'sweep_outbox',
  `with mine as materialized (
  select o.id, ${IS_DISCARDED} as discarded
  from {schema}.outbox o
  where o.id > $3::bigint and o.id <= $4::bigint and o.app_id = $1 and o.trigger_id = $2::uuid and o.reply_to is null
    and case when ${IS_DISCARDED}
      then not exists (select from {schema}.withdrawals w where w.app_id = o.app_id and w.delivery_id = o.id)
      else $6 and not o.paused and not o.alone and o.single = 0 end
), free as materialized (
  select id from {schema}.outbox o
  where id = any (array(select id from mine)) and (lease_token is null or due_at <= clock_timestamp()) and not ${isLeased('o', '$8')}
  for update skip locked
), parked as (
  update {schema}.outbox set paused = true where id = any (array(select id from free))
), withdrawn as (
  insert into {schema}.withdrawals (app_id, delivery_id, outcome, dead_letter, reason)
  select $1, id, 'discarded', false, 'its trigger was disabled or deleted' from mine
  where discarded and id = any (array(select id from free))
  on conflict (app_id, delivery_id) do nothing
)
select ((select count(*) from mine) - (select count(*) from free))::integer as left`,
)

/**
 * Caller: sweepPauses, last in its transaction. `to` is where it goes on; null starts anew, after longer and longer
 * waits.
 */
export const moveSweep = statement<
  [appId: string, triggerId: string, to: string | null, isClean: boolean, isDone: boolean],
  never
>(
  'move_sweep',
  `update {schema}.pauses
set sweep_from = coalesce($3::bigint, 0), sweep_is_clean = $4, swept = $5,
  discard_before = case when $5 then null else discard_before end,
  sweep_after = case when $3::bigint is null and not $5
    then clock_timestamp() + least(interval '1 minute', greatest(interval '1 second', case when isfinite(changed_at) then (clock_timestamp() - changed_at) / 2::double precision end))
    else sweep_after end
where app_id = $1 and trigger_id = $2::uuid`,
)

/**
 * Caller: sweepPauses, for a pause that cannot be swept. The others come first, and this one is tried again in an hour.
 */
export const putOffSweep = statement<[appId: string, triggerId: string], never>(
  'put_off_sweep',
  `update {schema}.pauses set sweep_after = clock_timestamp() + interval '1 hour' where app_id = $1 and trigger_id = $2::uuid`,
)
