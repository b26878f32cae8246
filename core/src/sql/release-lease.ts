import { statement } from './statement.ts'

/**
 * Caller: LeaseKeeper, first in the transaction that settles a spilled delivery (what follows is put_back or bury,
 * or nothing for one that is done). No row means that the delivery was taken over: the late result changes nothing.
 */
export const releaseLease = statement<[id: string, leaseToken: string], { id: string }>(
  'release_lease',
  `delete from {schema}.outbox where id = $1::bigint and lease_token = $2::uuid returning id`,
)
