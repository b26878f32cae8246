import { statement } from '../../postgres/statement.ts'

/** Caller: Withdrawals.ask, of what it could not lock: it runs, or it came to its outcome since the statement before looked. */
export const stillThere = statement<[appId: string, deliveryIds: readonly string[]], { rows: number }>(
  'still_there',
  `select count(*)::integer as rows from {schema}.outbox o
where o.id = any ($2::bigint[]) and o.app_id = $1 and o.reply_to is null`,
)
