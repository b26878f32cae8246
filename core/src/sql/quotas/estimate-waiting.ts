import { statement } from '../../postgres/statement.ts'

/** Blocks of the outbox that are read: 4 MB, for a millisecond or two. */
const BLOCKS = 512

/**
 * Caller: WaitingRows, at most every 100 ms a process, and seldom. Rows in the outbox by app: exact where the table has no more blocks than
 * are read, beyond that an estimate from so many blocks, drawn at random. So its cost is the same for ten rows and a hundred
 * million. A login that row-level security binds sees its own apps alone.
 */
export const estimateWaiting = statement<[], { app_id: string; rows: number }>(
  'estimate_waiting',
  `select app_id, count(*)::float8 * greatest(1::float8, blocks::float8 / ${BLOCKS}::float8) as rows
from (select pg_relation_size('{schema}.outbox') / current_setting('block_size')::bigint as blocks) as size
cross join lateral (
  select o.app_id from {schema}.outbox o tablesample system (
    least(100::float8, 100::float8 * ${BLOCKS}::float8 * current_setting('block_size')::float8 / greatest(1::float8, pg_relation_size('{schema}.outbox')::float8))
  )
) as sampled
group by app_id, blocks`,
)
