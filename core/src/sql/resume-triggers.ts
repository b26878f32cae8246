import { statement } from './statement.ts'

/** Caller: TriggerRegistry.resume and resumeAll. Dispatchers let parked rows go within a second (`unpark`). */
export const resumeTriggers = statement<[appId: string, triggerId: string], never>(
  'resume_triggers',
  `delete from {schema}.pauses where app_id = $1 and trigger_id = $2::uuid`,
)
