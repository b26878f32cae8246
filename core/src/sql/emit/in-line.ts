/** How a statement waits for the places of its rows in their lines. */

/**
 * The expression `in_line`. `lines` selects `app_id`, `trigger_id` and `ordering_key`, and may repeat a line. The
 * statement draws no id before {@link IS_IN_LINE}.
 *
 * A row of `ordering_locks` locks a line. `on conflict do update` waits for its holder, `where false` writes no new
 * version, and the order prevents deadlocks.
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

/** True once this transaction holds every line. */
export const IS_IN_LINE = '(select count(*) from in_line) >= 0'
