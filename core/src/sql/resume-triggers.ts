import { statement } from './statement.ts'

/**
 * Caller: TriggerRegistry.resume and resumeAll. Dispatchers let parked rows go within a second (`unpark`). Those of a trigger that is
 * disabled stay. No row: it was not paused.
 */
export const resumeTriggers = statement<[appId: string, triggerId: string], { trigger_id: string }>(
  'resume_triggers',
  `with still as (
  update {schema}.pauses set paused = false
  where app_id = $1 and trigger_id = $2::uuid and (disabled or discard_before is not null) and paused
  returning trigger_id
), gone as (
  delete from {schema}.pauses
  where app_id = $1 and trigger_id = $2::uuid and not disabled and discard_before is null
  returning trigger_id
)
select trigger_id from still union all select trigger_id from gone`,
)
