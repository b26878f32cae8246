import { statement } from './statement.ts'

/** Caller: TriggerRegistry.resume and resumeAll. Parked rows are let go by `unpark`. */
export const resumeTriggers = statement<[appId: string, triggerId: string], never>(
  'resume_triggers',
  `delete from {schema}.pauses where app_id = $1 and trigger_id = $2::uuid`,
)
