import { erasedBatch, payloadMatches, statement } from '@outbus/core/plugin'
import type { ErasedBatch, PayloadPattern } from '@outbus/core/plugin'

/** Caller: `erase`. A batch of entries by their primary key; each is matched as the event that tells of it. */
export const eraseEntries = statement<
  [appId: string, after: string, limit: number, ...pattern: PayloadPattern, dryRun: boolean],
  ErasedBatch
>(
  'bookings_erase_entries',
  `with batch as materialized (
  select id, app_id, json_build_object('id', id::text, 'topic', topic, 'body', body) as event
  from {schema}.bookings_entries where app_id = $1 and id > $2::bigint order by id limit $3
), looked as materialized (
  select id, ${payloadMatches('event', 4)} as matches from batch
), free as materialized (
  select id from {schema}.bookings_entries where id = any (array(select id from looked where matches)) and not $7
  for update skip locked
), erased as (
  delete from {schema}.bookings_entries where id = any (array(select id from free)) returning 1
)
${erasedBatch()}`,
)
