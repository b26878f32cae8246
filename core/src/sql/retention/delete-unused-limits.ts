import { statement } from '../../postgres/statement.ts'

/** Caller: Retention. Removes limits whose trigger and rows are gone. */
export const deleteUnusedLimits = statement<[], { deleted: number }>(
  'delete_unused_limits',
  `with gone as (
  delete from {schema}.trigger_limits l
  where not exists (select from {schema}.triggers t where t.id = l.trigger_id)
    and not exists (select from {schema}.outbox o where o.single = 1 and o.trigger_id = l.trigger_id)
    and not exists (select from {schema}.outbox o where o.single = 2 and o.trigger_id = l.trigger_id)
  returning l.trigger_id
)
select count(*)::integer as deleted from gone`,
)
