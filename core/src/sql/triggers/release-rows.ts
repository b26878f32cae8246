import { statement } from '../../postgres/statement.ts'

/** Caller: TriggerRegistry.release, for rows that a deleted trigger left parked. */
export const releaseRows = statement<[appId: string, triggerId: string], { trigger_id: string }>(
  'release_rows',
  `delete from {schema}.pauses p
where p.app_id = $1 and p.trigger_id = $2::uuid and (p.paused or p.disabled) and p.discard_before is null
  and not exists (select from {schema}.triggers t where t.app_id = p.app_id and t.id = p.trigger_id)
returning trigger_id`,
)
