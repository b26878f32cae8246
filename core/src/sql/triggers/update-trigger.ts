import { SWEEP_AGAIN } from '../pause/pauses.ts'
import { statement } from '../../postgres/statement.ts'
import { EPOCH_MOVED_ON } from './trigger-changes.ts'
import type { TriggerRow } from './trigger-row.ts'
import { LIMITS_WRITTEN, pausedColumn, TRIGGER_COLUMNS } from './trigger-row.ts'

/**
 * Caller: TriggerRegistry.update, enable, disable. A null keeps its column. The pause is locked before it is read,
 * since a sweep may end it just then.
 */
export const updateTrigger = statement<
  [
    appId: string,
    id: string,
    name: string | null,
    filter: string | null,
    target: string | null,
    retry: string | null,
    priority: number | null,
    timeoutMs: number | null,
    ordered: boolean | null,
    transactional: boolean | null,
    /** 0 removes the limit. */
    concurrency: number | null,
    /** 0 removes the limit. */
    rateLimit: number | null,
    enabled: boolean | null,
    /** What becomes of rows that are there when the trigger is enabled or disabled. Null: nothing. */
    waiting: 'run' | 'park' | 'discard' | null,
    runAs: string | null,
    /** Of the filter. */
    keys: string | null,
  ],
  TriggerRow
>(
  'update_trigger',
  `with ${EPOCH_MOVED_ON}, written as (
  update {schema}.triggers t
  set name = coalesce($3, t.name),
    filter = coalesce($4::jsonb, t.filter),
    target = coalesce($5::jsonb, t.target),
    retry = coalesce($6::jsonb, t.retry),
    priority = coalesce($7::smallint, t.priority),
    timeout_ms = coalesce($8::integer, t.timeout_ms),
    ordered = coalesce($9::boolean, t.ordered),
    transactional = coalesce($10::boolean, t.transactional),
    concurrency = case when $11::integer is null then t.concurrency else nullif($11::integer, 0) end,
    rate_limit = case when $12::double precision is null then t.rate_limit else nullif($12::double precision, 0::double precision) end,
    enabled = coalesce($13::boolean, t.enabled),
    run_as = coalesce($15::text, t.run_as),
    keys = coalesce($16::json, t.keys),
    updated_at = clock_timestamp()
from bumped
where t.app_id = bumped.app_id and t.id = $2::uuid
returning ${TRIGGER_COLUMNS.split(', ')
    .map((column) => `t.${column}`)
    .join(', ')}
), ${LIMITS_WRITTEN}, held as (
  insert into {schema}.pauses as p (app_id, trigger_id, paused, disabled, discard_before)
  select app_id, id, false, not enabled, case when $14 = 'discard' then clock_timestamp() end
  from written where $14 in ('park', 'discard')
  on conflict (app_id, trigger_id) do update set disabled = excluded.disabled,
    discard_before = coalesce(excluded.discard_before, p.discard_before), ${SWEEP_AGAIN}
), pause as materialized (
  select p.app_id, p.trigger_id, p.paused or p.discard_before is not null as goes_on
  from {schema}.pauses p join written on p.app_id = written.app_id and p.trigger_id = written.id
  where $14 = 'run' for update of p
), still as (
  update {schema}.pauses p set disabled = false, ${SWEEP_AGAIN} from pause
  where pause.goes_on and p.app_id = pause.app_id and p.trigger_id = pause.trigger_id
), let_go as (
  delete from {schema}.pauses p using pause
  where not pause.goes_on and p.app_id = pause.app_id and p.trigger_id = pause.trigger_id
)
select written.*, ${pausedColumn('written')} from written`,
)
