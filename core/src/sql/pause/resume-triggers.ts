import { statement } from '../../postgres/statement.ts'

/**
 * Caller: TriggerRegistry.resume and resumeAll. Dispatchers let parked rows go within a second (`unpark`), unless the
 * trigger is disabled. The pause is locked first, since a sweep may end its discarding just then. No row: the trigger
 * was not paused.
 */
export const resumeTriggers = statement<[appId: string, triggerId: string], { trigger_id: string }>(
  'resume_triggers',
  `with pause as materialized (
  select app_id, trigger_id, paused, disabled or discard_before is not null as goes_on
  from {schema}.pauses where app_id = $1 and trigger_id = $2::uuid for update
), still as (
  update {schema}.pauses p set paused = false from pause
  where pause.goes_on and pause.paused and p.app_id = pause.app_id and p.trigger_id = pause.trigger_id
  returning p.trigger_id
), gone as (
  delete from {schema}.pauses p using pause
  where not pause.goes_on and p.app_id = pause.app_id and p.trigger_id = pause.trigger_id
  returning p.trigger_id
)
select trigger_id from still union all select trigger_id from gone`,
)
