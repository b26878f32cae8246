import type { ArrayText } from '../../postgres/arrays.ts'
import { keptErrors } from './kept-errors.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Settlement, for another attempt, or the same one under a lease. Fenced by the token as in finish.ts. Due in
 * `delay_ms` by the database's clock.
 */
export const reschedule = statement<
  [
    ids: ArrayText,
    attempts: ArrayText,
    delaysMs: ArrayText,
    alone: ArrayText,
    leaseTokens: ArrayText,
    errors: ArrayText,
    heldToken: string | null,
  ],
  never
>(
  'reschedule',
  `update {schema}.outbox o
set attempt = next.attempt,
    due_at = clock_timestamp() + greatest(next.delay_ms, 0) * interval '1 millisecond',
    due_set_at = clock_timestamp(),
    alone = next.alone,
    lease_token = next.lease_token,
    errors = case when next.error is null then o.errors else ${keptErrors('o.errors', 'next.error::jsonb')} end
from unnest($1::bigint[], $2::integer[], $3::double precision[], $4::boolean[], $5::uuid[], $6::text[])
  as next (id, attempt, delay_ms, alone, lease_token, error)
where o.id = next.id and o.lease_token is not distinct from $7::uuid`,
)
