import { leftOf } from './lease-end.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Lane, in its claim transaction, for what `stillLeased` found. The database's clock jumped ahead, so these
 * leases get the length that they had left.
 */
export const keepLeases = statement<[ids: readonly string[], latest: number], never>(
  'keep_leases',
  `update {schema}.outbox o
set due_at = clock_timestamp() + greatest(interval '0', ${leftOf('o', '$2')}), due_set_at = clock_timestamp()
where o.id = any ($1::bigint[])`,
)
