import { statement } from './statement.ts'

/**
 * Caller: TriggerRegistry.resume and resumeAll. Dispatchers let parked rows go within a second (`unpark`). Those of a trigger that is
 * disabled stay.
 */
export const resumeTriggers = statement<[appId: string, triggerId: string], never>(
  'resume_triggers',
  `with still as (
  update {schema}.pauses set paused = false
  where app_id = $1 and trigger_id = $2::uuid and (disabled or discard_before is not null)
)
delete from {schema}.pauses
where app_id = $1 and trigger_id = $2::uuid and not disabled and discard_before is null`,
)
