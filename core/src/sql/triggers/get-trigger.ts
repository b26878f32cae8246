import { statement } from '../../postgres/statement.ts'
import type { TriggerRow } from './trigger-row.ts'
import { pausedColumn, TRIGGER_COLUMNS } from './trigger-row.ts'

/** Callers: TriggerRegistry.get (by id) and getByName. The other parameter is null. */
export const getTrigger = statement<[appId: string, id: string | null, name: string | null], TriggerRow>(
  'get_trigger',
  `select ${TRIGGER_COLUMNS}, ${pausedColumn('triggers')} from {schema}.triggers
where app_id = $1 and (id = $2::uuid or name = $3)`,
)

/**
 * Caller: TriggerRegistry, before it reads a trigger that it will change. All who change the app's triggers take this
 * lock, so what is read stays until the change.
 */
export const lockTriggers = statement<[appId: string], never>(
  'lock_triggers',
  `select from {schema}.trigger_epochs where app_id = $1 for update`,
)
