import type { LoadedTriggerRow } from './load-triggers.ts'
import { LOADED_TRIGGER_COLUMNS, QUOTAS_OF_APP } from './load-triggers.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * For statements that change a trigger: `bumped` is the app's new epoch, $1 the app, $2 the trigger. The number always
 * grows, whatever became of the sequence, and no change was noted under it. The database writes the rest of the epoch.
 */
export const EPOCH_MOVED_ON = `bumped as (
  insert into {schema}.trigger_epochs as e (app_id, epoch)
  values ($1, greatest(nextval('{schema}.trigger_epoch_sequence'),
    (select max(c.epoch) + 1 from {schema}.trigger_changes c where c.app_id = $1)))
  on conflict (app_id) do update set epoch = greatest(excluded.epoch, e.epoch + 1)
  returning e.app_id, e.epoch, e.content_id, e.follows
), noted as (
  insert into {schema}.trigger_changes (app_id, epoch, trigger_id, content_id, follows)
  select app_id, epoch, $2::uuid, content_id, follows from bumped
)`

export interface TriggerChangeRow extends LoadedTriggerRow {
  /** The last of the known epochs that led to this one. */
  readonly since: string
  /**
   * A trigger that changed since; `id` is null if it is gone or disabled. Null in the one row of an app where nothing
   * changed.
   */
  readonly changed: string | null
}

/**
 * Caller: IndexCache. One statement is one snapshot. No row: the app has no triggers, or what changed is not known. It
 * is known if the database remembers one of the `known` epochs, and the chain from there is whole: each change names
 * the one before as what it follows.
 */
export const loadTriggerChanges = statement<[appId: string, known: readonly string[]], TriggerChangeRow>(
  'load_trigger_changes',
  `with known as (
  select c.epoch, c.content_id
  from unnest($2::text[]) as k (content_id)
  join {schema}.trigger_changes c
    on c.app_id = $1 and c.epoch = split_part(k.content_id, '.', 1)::bigint and c.content_id = k.content_id
  order by c.epoch desc
  limit 1
), since as materialized (
  select c.epoch, c.content_id, c.trigger_id,
    c.follows is not distinct from lag(c.content_id, 1, known.content_id) over (order by c.epoch) as in_line
  from known
  join {schema}.trigger_changes c on c.app_id = $1 and c.epoch > known.epoch
), last as (
  select content_id from (select epoch, content_id from since union all table known) as remembered order by epoch desc limit 1
)
select e.content_id as epoch, known.content_id as since, changed.trigger_id as changed, ${LOADED_TRIGGER_COLUMNS}, ${QUOTAS_OF_APP}
from {schema}.trigger_epochs e
cross join known
join last on last.content_id = e.content_id and not exists (select from since where not in_line)
left join (select distinct trigger_id from since where trigger_id is not null) as changed on true
left join {schema}.triggers t on t.id = changed.trigger_id and t.app_id = e.app_id and t.enabled
where e.app_id = $1`,
)
