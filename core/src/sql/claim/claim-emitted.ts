import { CLAIMED, CLAIMED_COLUMNS, IN_BATCHES, still } from './claim-batch.ts'
import type { ClaimedTexts } from './claim-batch.ts'
import { EMITTED_SETTING } from '../emit/emit-noted.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * Caller: EmittedClaims, first in its claim transaction, right after `emit_noted` on the same connection. Once the row
 * is locked, the advisory lock is let go. No row: somebody was quicker, or nothing was written, and the lock is still
 * held.
 */
export const claimEmitted = statement<[lock: number], ClaimedTexts>(
  'claim_emitted',
  `select ${CLAIMED_COLUMNS.join(', ')}, pg_advisory_unlock($1::bigint) from (
  select ${CLAIMED} from {schema}.outbox
  where id = nullif(current_setting('${EMITTED_SETTING}', true), '')::bigint and ${still(`${IN_BATCHES} and due_at <= now()`)}
  for update skip locked
) as claimed`,
  { raw: true },
)
