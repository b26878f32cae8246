import { statement } from './statement.ts'
import { CHANGE_NOTED } from './trigger-changes.ts'

/** Caller: TriggerRegistry.delete. Rows that the trigger already has in the outbox still run: they are self-contained. */
export const deleteTrigger = statement<[appId: string, id: string], { id: string }>(
  'delete_trigger',
  `with bumped as (
  insert into {schema}.trigger_epochs as e (app_id, epoch)
  values ($1, nextval('{schema}.trigger_epoch_sequence'))
  on conflict (app_id) do update set epoch = nextval('{schema}.trigger_epoch_sequence')
  returning e.app_id, e.epoch
), ${CHANGE_NOTED}, resumed as (
  delete from {schema}.pauses where app_id = $1 and trigger_id = $2::uuid
)
delete from {schema}.triggers t using bumped
where t.app_id = bumped.app_id and t.id = $2::uuid
returning t.id`,
)
