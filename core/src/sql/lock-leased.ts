import { statement } from './statement.ts'

/**
 * Caller: LeaseKeeper, first in the transaction that settles a spilled delivery. No row means that the delivery was
 * taken over: the late result changes nothing.
 */
export const lockLeased = statement<[id: string, leaseToken: string], { id: string }>(
  'lock_leased',
  `select id from {schema}.outbox where id = $1::bigint and lease_token = $2::uuid for update`,
)
