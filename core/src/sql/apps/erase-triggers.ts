import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Apps, three statements of one transaction. Each batch moves the epoch on, and the epoch's row locks out all
 * who change the app's triggers. Changes are not noted, so older indexes are loaded whole.
 */
export const moveEpoch = statement<[appId: string], never>(
  'erase_triggers_move_epoch',
  `update {schema}.trigger_epochs set epoch = greatest(nextval('{schema}.trigger_epoch_sequence'), epoch + 1) where app_id = $1`,
)

export const eraseTriggers = statement<[appId: string, limit: number], { erased: number }>(
  'erase_triggers',
  `with gone as (
  delete from {schema}.triggers where id = any (array(select id from {schema}.triggers where app_id = $1 limit $2)) returning 1
)
select count(*)::integer as erased from gone`,
)

/** An app without an epoch has no triggers. A statement of its own takes its snapshot under the lock. */
export const eraseEpoch = statement<[appId: string], { erased: number }>(
  'erase_epoch',
  `with gone as (
  delete from {schema}.trigger_epochs where app_id = $1 and not exists (select from {schema}.triggers where app_id = $1)
  returning 1
)
select count(*)::integer as erased from gone`,
)
