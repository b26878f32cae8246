import type { ArrayText } from '../../postgres/arrays.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Settlement, for rows that are done, discarded or skipped. A null token means rows locked by this
 * transaction's claim. A row under another lease, or none, is not touched (G3).
 */
export const finish = statement<[ids: ArrayText, leaseToken: string | null], never>(
  'finish',
  `delete from {schema}.outbox where id = any ($1::bigint[]) and lease_token is not distinct from $2::uuid`,
)
