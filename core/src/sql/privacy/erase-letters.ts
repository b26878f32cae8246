import type { ErasureParameters } from './erasure.ts'
import type { ErasedBatch } from '../../contract/erasure.ts'
import { erasedBatch, payloadMatches, TEXTS_ERASED } from './erasure.ts'
import { statement } from '../../postgres/statement.ts'

/** Caller: Erasure. Letters go whole, with their attempts' errors, which the history has too. */
export const eraseLetters = statement<ErasureParameters, ErasedBatch>(
  'erase_letters',
  `with batch as materialized (
  select id, event, source from {schema}.dead_letters where app_id = $1 and id > $2::bigint order by id limit $3
), looked as materialized (
  select id, case when $4::text[] is null or source = any ($4) then ${payloadMatches('event', 5)} else false end as matches
  from batch
), free as materialized (
  select id from {schema}.dead_letters where id = any (array(select id from looked where matches)) and not $8
  for update skip locked
), erased as materialized (
  delete from {schema}.dead_letters where id = any (array(select id from free)) returning delivery_id
), blanked as (
  update {schema}.attempts set ${TEXTS_ERASED}
  where app_id = $1 and delivery_id = any (array(select delivery_id from erased)) and (error is not null or reason is not null)
), forgotten as (
  delete from {schema}.set_aside where app_id = $1 and kind = 'dead_letter' and row_id = any (array(select id::text from free))
)
${erasedBatch()}`,
)
