import { statement } from '../../postgres/statement.ts'

/** Caller: Lane, in its claim transaction: rows of paused triggers go where no claim walks over them. */
export const park = statement<[ids: readonly string[]], never>(
  'park',
  `update {schema}.outbox set paused = true where id = any ($1::bigint[])`,
)
