import { isLeased } from './lease-end.ts'
import { statement } from '../../postgres/statement.ts'

/** Caller: Lane, for claimed rows with a lease: finds those whose lease is not over. */
export const stillLeased = statement<[ids: readonly string[], latest: number], { id: string }>(
  'still_leased',
  `select o.id from {schema}.outbox o where o.id = any ($1::bigint[]) and ${isLeased('o', '$2')}`,
)
