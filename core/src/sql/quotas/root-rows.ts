import { statement } from '../../postgres/statement.ts'

/**
 * Caller: RootBudgets. Notes how many more rows this process may write for a root event. Answers with the sum of all
 * processes, without those that note at the same moment.
 */
export const noteRootRows = statement<[appId: string, rootId: string, rows: number], { rows: number }>(
  'note_root_rows',
  `with noted as (
  insert into {schema}.root_rows (app_id, root_id, rows) values ($1, $2::uuid, $3::bigint) returning rows
)
select (select rows from noted)::float8 + coalesce(sum(rows), 0)::float8 as rows
from {schema}.root_rows where app_id = $1 and root_id = $2::uuid`,
)

/** Caller: Retention. */
export const deleteOldRootRows = statement<[limit: number], { deleted: number }>(
  'delete_old_root_rows',
  `with gone as (
  delete from {schema}.root_rows where ctid = any (array(
    select ctid from {schema}.root_rows where noted_at < now() - interval '7 days' limit $1
  ))
  returning 1
)
select count(*)::integer as deleted from gone`,
)
