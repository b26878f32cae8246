import { leftOf } from './lease-end.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Lane, in its claim transaction, of what `stillLeased` found. The clock of the database jumped ahead: these leases end as long from
 * now as they were meant to, and whoever holds them goes on, and extends them as before.
 */
export const keepLeases = statement<[ids: readonly string[], latest: number], never>(
  'keep_leases',
  `update {schema}.outbox o
set due_at = clock_timestamp() + greatest(interval '0', ${leftOf('o', '$2')}), due_set_at = clock_timestamp()
where o.id = any ($1::bigint[])`,
)
