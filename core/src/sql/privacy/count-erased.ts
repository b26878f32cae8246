import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Erasure, in the transaction of the batch that it counts. Only the owner of the tables may change a row of the
 * audit.
 */
export const countErased = statement<[appId: string, auditId: string, after: string], never>(
  'count_erased',
  `update {schema}.audit set after = $3::jsonb where app_id = $1 and id = $2::bigint`,
)
