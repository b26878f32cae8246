import { statement } from '../../postgres/statement.ts'

/** How many blocks of the outbox are read: 4 MB, in a millisecond or two. */
const BLOCKS = 512

/**
 * Caller: WaitingRows, at most every 100 ms in a process. Counts outbox rows by app, exactly in a small table,
 * otherwise from that many random blocks. A login bound by row-level security sees its own apps alone.
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
