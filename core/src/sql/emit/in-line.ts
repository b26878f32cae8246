/** How a statement that writes rows of ordered triggers waits for its place in each of their lines. */

/**
 * The expression `in_line`. `lines` is a select of `app_id`, `trigger_id` and `ordering_key` of the rows to be written, which
 * may say the same line twice. The statement draws no id before {@link IS_IN_LINE}.
 *
 * A line is locked by a row of `ordering_locks`, which is inserted where there is none: `on conflict do update` locks the row
 * and waits for whoever holds it, and `where false` writes no new version. Rows are taken in the order of the key, to keep
 * two batches from deadlocking.
 */
export function inLine(lines: string): string {
  return `in_line as (
  insert into {schema}.ordering_locks (app_id, trigger_id, key_hash)
  select distinct app_id, trigger_id, hashtextextended(coalesce(ordering_key, ''), 0) as key_hash from (${lines}) as line
  order by app_id, trigger_id, key_hash
  on conflict (app_id, trigger_id, key_hash) do update set taken_at = excluded.taken_at where false
  returning 1
)`
}

/** True once every line is this transaction's. */
export const IS_IN_LINE = '(select count(*) from in_line) >= 0'
