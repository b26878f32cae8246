import { statement } from './statement.ts'

/** Caller: TriggerRegistry.pause and pauseAll. Rows that are there are parked by the dispatchers that claim them. */
export const pauseTriggers = statement<[appId: string, triggerId: string], never>(
  'pause_triggers',
  `insert into {schema}.pauses as p (app_id, trigger_id) values ($1, $2::uuid)
on conflict (app_id, trigger_id) do update set paused = true where not p.paused`,
)
