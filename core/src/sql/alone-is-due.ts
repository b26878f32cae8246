import { statement } from './statement.ts'

/** Caller: the lane of interrupted rows, before it stops the others. */
export const aloneIsDue = statement<[], { due: boolean }>(
  'alone_is_due',
  `select exists (select from {schema}.outbox where alone and due_at <= clock_timestamp()) as due`,
)
