import { statement } from '../../postgres/statement.ts'

/** Caller: Lane, in its claim transaction. No claim walks over parked rows. */
export const park = statement<[ids: readonly string[]], never>(
  'park',
  `update {schema}.outbox set paused = true where id = any ($1::bigint[])`,
)
