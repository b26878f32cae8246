import { statement } from '../../postgres/statement.ts'
import { EPOCH_MOVED_ON } from './trigger-changes.ts'
import type { TriggerRow } from './trigger-row.ts'
import { LIMITS_WRITTEN, pausedColumn, TRIGGER_COLUMNS } from './trigger-row.ts'

/**
 * Caller: TriggerRegistry.create. The epoch moves first: its row lock is the app's mutex, so that two transactions with
 * several triggers each cannot deadlock. A function counts the triggers under that lock, and sees all that was
 * committed, so an app never exceeds its quota.
 */
export const createTrigger = statement<
  [
    appId: string,
    id: string,
    name: string,
    source: string,
    filter: string,
    target: string,
    retry: string,
    priority: number,
    timeoutMs: number,
    ordered: boolean,
    transactional: boolean,
    concurrency: number | null,
    rateLimit: number | null,
    registrant: string | null,
    enabled: boolean,
    /** The quota of an app that has none of its own. */
    mostTriggers: number,
    runAs: string,
    keys: string,
  ],
  /** If the app is over its quota, the trigger's columns are null. */
  TriggerRow & { readonly over_quota: boolean; readonly triggers: number; readonly most_triggers: number }
>(
  'create_trigger',
  `with ${EPOCH_MOVED_ON}, quota as materialized (
  select coalesce((select q.triggers from {schema}.app_quotas q where q.app_id = $1), $16::bigint) as most
), counted as materialized (
  select app_id, most, {schema}.count_triggers(app_id, most) as triggers from bumped cross join quota
), written as (
  insert into {schema}.triggers (app_id, id, name, source, filter, target, retry, priority, timeout_ms,
    ordered, transactional, concurrency, rate_limit, registrant, enabled, run_as, keys)
  select app_id, $2::uuid, $3, $4, $5::jsonb, $6::jsonb, $7::jsonb, $8::smallint, $9::integer,
    $10::boolean, $11::boolean, $12::integer, $13::double precision, $14, $15::boolean, $17, $18::json from counted where triggers < most
  returning ${TRIGGER_COLUMNS}
), ${LIMITS_WRITTEN}
select written.*, ${pausedColumn('written')}, counted.triggers >= most as over_quota, counted.triggers::float8, most::float8 as most_triggers
from counted left join written on true`,
)
