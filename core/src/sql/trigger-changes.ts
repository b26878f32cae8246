import type { LoadedTriggerRow } from './load-triggers.ts'
import { LOADED_TRIGGER_COLUMNS } from './load-triggers.ts'
import { statement } from './statement.ts'

/** In the statements that change a trigger: `bumped` is the app's new epoch, $2 the trigger. */
export const CHANGE_NOTED = `noted as (
  insert into {schema}.trigger_changes (app_id, epoch, trigger_id) select app_id, epoch, $2::uuid from bumped
)`

export interface TriggerChangeRow extends LoadedTriggerRow {
  /** The last of the epochs asked for that led to this one; null: none did. */
  readonly since: string | null
  /** Changed since then; `id` is null where it is gone or disabled. Null in the one row of an app where nothing was. */
  readonly changed: string | null
}

/** Caller: IndexCache. One statement, so one snapshot. No row: the app never had a trigger. */
export const loadTriggerChanges = statement<[appId: string, known: readonly string[]], TriggerChangeRow>(
  'load_trigger_changes',
  `with known as (
  select max(c.epoch) as epoch from {schema}.trigger_changes c where c.app_id = $1 and c.epoch = any ($2::bigint[])
), changed as (
  select distinct c.trigger_id from {schema}.trigger_changes c, known
  where c.app_id = $1 and c.epoch > known.epoch and c.trigger_id is not null
)
select e.epoch, known.epoch as since, changed.trigger_id as changed, ${LOADED_TRIGGER_COLUMNS}
from {schema}.trigger_epochs e
cross join known
left join changed on true
left join {schema}.triggers t on t.id = changed.trigger_id and t.app_id = e.app_id and t.enabled
where e.app_id = $1`,
)
