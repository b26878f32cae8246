import { statement } from './statement.ts'
import { EPOCH_MOVED_ON } from './trigger-changes.ts'

/** Caller: TriggerRegistry.delete. Rows that the trigger already has in the outbox still run: they are self-contained. */
export const deleteTrigger = statement<[appId: string, id: string], { id: string }>(
  'delete_trigger',
  `with ${EPOCH_MOVED_ON}, resumed as (
  delete from {schema}.pauses where app_id = $1 and trigger_id = $2::uuid
)
delete from {schema}.triggers t using bumped
where t.app_id = bumped.app_id and t.id = $2::uuid
returning t.id`,
)
