import { erasedBatch, payloadMatches, statement } from '@outbus/core/plugin'
import type { ErasedBatch, PayloadPattern } from '@outbus/core/plugin'

/**
 * Caller: bus.apps.eraseData. A schedule is matched as the event that it fires, and deleted as by its verb: its row stays, without its data,
 * until pg-boss has forgotten it. There are few schedules; they are looked through by their primary key.
 */
export const eraseSchedules = statement<
  [appId: string, after: string, limit: number, ...pattern: PayloadPattern, dryRun: boolean],
  ErasedBatch
>(
  'schedule_erase',
  `with batch as materialized (
  select id, app_id, deleted and data::text = 'null' as is_erased,
    json_build_object('op', 'fired', 'schedule', name, 'data', data) as event
  from {schema}.schedules where id > $2::uuid order by id limit $3
), looked as materialized (
  select id, case when app_id = $1 and not is_erased then ${payloadMatches('event', 4)} else false end as matches from batch
), free as materialized (
  select id from {schema}.schedules where id = any (array(select id from looked where matches)) and not $7
  for update skip locked
), erased as (
  update {schema}.schedules set deleted = true, changed = true, data = 'null', revision = revision + 1, updated_at = clock_timestamp()
  where id = any (array(select id from free)) returning 1
)
${erasedBatch()}`,
)
