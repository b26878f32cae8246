import { statement } from '../../postgres/statement.ts'

/** Caller: LeaseKeeper, for all leases of its process at once. Answers with those that still hold. */
export const extendLeases = statement<
  [ids: readonly string[], leaseTokens: readonly string[], leaseMs: number],
  { id: string }
>(
  'extend_leases',
  `update {schema}.outbox o
set due_at = clock_timestamp() + $3::double precision * interval '1 millisecond', due_set_at = clock_timestamp()
from unnest($1::bigint[], $2::uuid[]) as held (id, lease_token)
where o.id = held.id and o.lease_token = held.lease_token
returning o.id`,
)
