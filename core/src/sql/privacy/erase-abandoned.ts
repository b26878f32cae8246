import type { ErasureParameters } from './erasure.ts'
import type { ErasedBatch } from '../../contract/erasure.ts'
import { erasedBatch, payloadMatches } from './erasure.ts'
import { statement } from '../../postgres/statement.ts'

/** Caller: Erasure. As `erase_replies`, for replies whose caller was gone. */
export const eraseAbandoned = statement<ErasureParameters, ErasedBatch>(
  'erase_abandoned',
  `with batch as materialized (
  select request_id as id, source, reply from {schema}.abandoned_executions
  where app_id = $1 and request_id > $2::uuid order by request_id limit $3
), looked as materialized (
  select id, case when $4::text[] is null or source = any ($4)
    then ${payloadMatches('reply', 5, `'value'`)} else false end as matches
  from batch
), free as materialized (
  select request_id from {schema}.abandoned_executions
  where request_id = any (array(select id from looked where matches)) and not $8
  for update skip locked
), erased as (
  delete from {schema}.abandoned_executions where request_id = any (array(select request_id from free)) returning request_id
)
${erasedBatch()}`,
)
