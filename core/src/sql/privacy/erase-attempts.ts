import type { ErasedBatch } from '../../contract/erasure.ts'
import { erasedBatch, TEXTS_ERASED } from './erasure.ts'
import { statement } from '../../postgres/statement.ts'

export type EraseAttemptsParameters = [
  appId: string,
  after: string,
  limit: number,
  sources: readonly string[] | null,
  /** A text matches if it contains all of these. */
  texts: readonly string[],
  /** The same, as they stand in a JSON string. */
  textsAsJson: readonly string[],
  dryRun: boolean,
]

/**
 * Caller: Erasure. The history has no payloads, but errors may quote one. An erased delivery's texts go with it; this
 * is for deliveries that ended before. The attempts stay, without their texts.
 */
export const eraseAttempts = statement<EraseAttemptsParameters, ErasedBatch>(
  'erase_attempts',
  `with batch as materialized (
  select id, source, error, reason from {schema}.attempts where app_id = $1 and id > $2::bigint order by id limit $3
), looked as materialized (
  select id, ($4::text[] is null or source = any ($4)) and (
    (error is not null and not exists (select from unnest($6::text[]) as one where position(one in error::text) = 0))
    or (reason is not null and not exists (select from unnest($5::text[]) as one where position(one in reason) = 0))) as matches
  from batch
), erased as (
  update {schema}.attempts set ${TEXTS_ERASED}
  where app_id = $1 and id = any (array(select id from looked where matches)) and not $7
  returning id
)
${erasedBatch()}`,
)
