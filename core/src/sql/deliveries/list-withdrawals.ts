import { statement } from '../../postgres/statement.ts'

/** Caller: Withdrawals, if they cannot be carried out together. Those that are set aside come last. */
export const listWithdrawals = statement<[limit: number], { app_id: string; delivery_id: string }>(
  'list_withdrawals',
  `select w.app_id, w.delivery_id from {schema}.withdrawals w
left join {schema}.set_aside s on s.app_id = w.app_id and s.kind = 'withdrawal' and s.row_id = w.delivery_id::text
order by s.row_id is not null, w.requested_at limit $1`,
)
