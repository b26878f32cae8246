import { statement } from '../../postgres/statement.ts'
import type { TriggerRow } from './trigger-row.ts'
import { pausedColumn, TRIGGER_COLUMNS } from './trigger-row.ts'

/** Callers: TriggerRegistry.get (by id) and getByName; the other parameter is null. */
export const getTrigger = statement<[appId: string, id: string | null, name: string | null], TriggerRow>(
  'get_trigger',
  `select ${TRIGGER_COLUMNS}, ${pausedColumn('triggers')} from {schema}.triggers
where app_id = $1 and (id = $2::uuid or name = $3)`,
)

/**
 * Caller: TriggerRegistry, before it reads a trigger that it changes then. It is the lock of all who change triggers of the app, so that
 * what is read after it stays as it is until the change.
 */
export const lockTriggers = statement<[appId: string], never>(
  'lock_triggers',
  `select from {schema}.trigger_epochs where app_id = $1 for update`,
)
