import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Retention. Indexes older than what is left are loaded whole. Each app keeps its last change, so that the next
 * one can follow it.
 */
export const deleteOldTriggerChanges = statement<[limit: number], { deleted: number }>(
  'delete_old_trigger_changes',
  `with old as (
  select c.app_id, c.epoch from {schema}.trigger_changes c
  join {schema}.trigger_epochs e on e.app_id = c.app_id
  where c.changed_at < clock_timestamp() - interval '1 day' and c.epoch < e.epoch
  limit $1
), gone as (
  delete from {schema}.trigger_changes c using old where c.app_id = old.app_id and c.epoch = old.epoch returning 1
)
select count(*)::integer as deleted from gone`,
)
