import { statement } from './statement.ts'
import { EPOCH_MOVED_ON } from './trigger-changes.ts'
import type { TriggerRow } from './trigger-row.ts'
import { LIMITS_WRITTEN, pausedColumn, TRIGGER_COLUMNS } from './trigger-row.ts'

/**
 * Caller: TriggerRegistry.create. The epoch is bumped first: its row lock is the app's mutex, so that two
 * transactions which change several triggers each cannot deadlock.
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
  ],
  TriggerRow
>(
  'create_trigger',
  `with ${EPOCH_MOVED_ON}, written as (
  insert into {schema}.triggers (app_id, id, name, source, filter, target, retry, priority, timeout_ms,
    ordered, transactional, concurrency, rate_limit, registrant, enabled)
  select app_id, $2::uuid, $3, $4, $5::jsonb, $6::jsonb, $7::jsonb, $8::smallint, $9::integer,
    $10::boolean, $11::boolean, $12::integer, $13::double precision, $14, $15::boolean from bumped
  returning ${TRIGGER_COLUMNS}
), ${LIMITS_WRITTEN}
select written.*, ${pausedColumn('written')} from written`,
)
