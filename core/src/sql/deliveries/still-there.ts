import { statement } from '../../postgres/statement.ts'

/** Caller: Withdrawals.ask, for rows that it could not lock: they run, or came to their outcome a moment ago. */
export const stillThere = statement<[appId: string, deliveryIds: readonly string[]], { rows: number }>(
  'still_there',
  `select count(*)::integer as rows from {schema}.outbox o
where o.id = any ($2::bigint[]) and o.app_id = $1 and o.reply_to is null`,
)
