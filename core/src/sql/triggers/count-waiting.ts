import { statement } from '../../postgres/statement.ts'

/**
 * Caller: TriggerRegistry.delete. Counts a trigger's rows that nobody runs and nobody withdrew. Reads the whole outbox.
 */
export const countWaiting = statement<[appId: string, triggerId: string], { count: number }>(
  'count_waiting',
  `select count(*)::integer as count from {schema}.outbox o
where o.app_id = $1 and o.trigger_id = $2::uuid and o.reply_to is null
  and (o.lease_token is null or o.due_at <= clock_timestamp())
  and not exists (select from {schema}.withdrawals w where w.app_id = o.app_id and w.delivery_id = o.id)`,
)
