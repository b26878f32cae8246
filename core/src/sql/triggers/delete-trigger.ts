import { SWEEP_AGAIN } from '../pause/pauses.ts'
import { statement } from '../../postgres/statement.ts'
import { EPOCH_MOVED_ON } from './trigger-changes.ts'

/**
 * Caller: TriggerRegistry.delete. Its rows in the outbox are self-contained. They run, or are set aside while `pauses`
 * says so, or dispatchers discard them. After discarding, `pauses` holds nothing, so that a dead letter of the trigger
 * can be replayed.
 */
export const deleteTrigger = statement<
  [appId: string, id: string, waiting: 'run' | 'park' | 'discard'],
  { id: string }
>(
  'delete_trigger',
  `with ${EPOCH_MOVED_ON}, held as (
  insert into {schema}.pauses as p (app_id, trigger_id, paused, disabled, discard_before)
  select app_id, id, false, $3 = 'park', case when $3 = 'discard' then 'infinity'::timestamptz end
  from {schema}.triggers where app_id = $1 and id = $2::uuid and $3 <> 'run'
  on conflict (app_id, trigger_id) do update set paused = false, disabled = excluded.disabled, discard_before = excluded.discard_before,
    ${SWEEP_AGAIN}
), resumed as (
  delete from {schema}.pauses where app_id = $1 and trigger_id = $2::uuid and $3 = 'run'
)
delete from {schema}.triggers t using bumped
where t.app_id = bumped.app_id and t.id = $2::uuid
returning t.id`,
)
