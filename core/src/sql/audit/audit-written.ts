import { statement } from '../../postgres/statement.ts'

/** Caller: Erasure, in the transaction that has just written the row. */
export const auditWritten = statement<[], { id: string }>(
  'audit_written',
  `select currval('{schema}.audit_sequence')::text as id`,
)
