import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Erasure, in the transaction of the batch that it counts. By the owner of the tables alone: for everybody else a row of the
 * audit stays as it was written.
 */
export const countErased = statement<[appId: string, auditId: string, after: string], never>(
  'count_erased',
  `update {schema}.audit set after = $3::jsonb where app_id = $1 and id = $2::bigint`,
)
