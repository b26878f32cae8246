import { statement } from '../../postgres/statement.ts'

/**
 * Caller: TriggerRegistry.pause and pauseAll. Dispatchers park rows as they claim them. No row: the trigger was paused
 * already.
 */
export const pauseTriggers = statement<[appId: string, triggerId: string], { trigger_id: string }>(
  'pause_triggers',
  `insert into {schema}.pauses as p (app_id, trigger_id) values ($1, $2::uuid)
on conflict (app_id, trigger_id) do update set paused = true where not p.paused
returning trigger_id`,
)
