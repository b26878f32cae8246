import { DEAD_LETTER_WRITTEN } from './dead-letter-row.ts'
import { statement } from '../../postgres/statement.ts'

/** Caller: Settlement. Moves rows to the dead letters, fenced by the token as in finish.ts. */
export const bury = statement<
  [
    ids: readonly string[],
    failureKinds: readonly string[],
    reasons: readonly string[],
    errors: readonly string[],
    heldToken: string | null,
  ],
  never
>(
  'bury',
  `with last as (
  select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) as last (id, failure_kind, reason, error)
), gone as (
  delete from {schema}.outbox o using last where o.id = last.id and o.lease_token is not distinct from $5::uuid
  returning o.*, last.failure_kind, last.reason, last.error::jsonb as error
)
${DEAD_LETTER_WRITTEN}`,
)
