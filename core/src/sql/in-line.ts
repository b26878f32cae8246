/** How a statement that writes rows of ordered triggers waits for its place in each of their lines. */

/** As many as older processes may be waited for in one transaction, so that the server's lock table cannot fill up. */
const OLDER_LOCKS = 32

/** The setting of a transaction that counts its advisory locks for older processes. */
const COUNTED = 'outbus.locks_for_older'

/**
 * The expressions `line`, `in_line`, `older` and `in_line_of_older`. `lines` is a select of `app_id`, `trigger_id` and `ordering_key` of
 * the rows to be written, which may say the same line twice. The statement draws no id before {@link IS_IN_LINE}.
 *
 * A line is locked by a row of `ordering_locks`, which is inserted where there is none: `on conflict do update` locks the row
 * and waits for whoever holds it, and `where false` writes no new version. Rows are taken in the order of the key, to keep
 * two batches from deadlocking.
 *
 * `older`: processes from before `0013_ordering_locks` hold advisory locks instead. They are taken after the rows, in the
 * order in which an older process takes them. To be removed with the first release that refuses to run beside those processes.
 */
export function inLine(lines: string): string {
  return `line as materialized (
  select distinct app_id, trigger_id, coalesce(ordering_key, '') as key from (${lines}) as every_line
), in_line as (
  insert into {schema}.ordering_locks (app_id, trigger_id, key_hash)
  select distinct app_id, trigger_id, hashtextextended(key, 0) as key_hash from line order by app_id, trigger_id, key_hash
  on conflict (app_id, trigger_id, key_hash) do update set taken_at = excluded.taken_at where false
  returning 1
), older as materialized (
  select set_config('${COUNTED}',
    (coalesce(nullif(current_setting('${COUNTED}', true), ''), '0')::integer + count(*))::text, true)::integer <= ${OLDER_LOCKS} as few
  from line where (select count(*) from in_line) >= 0
), in_line_of_older as materialized (
  select pg_advisory_xact_lock(number) from (
    select distinct hashtextextended(trigger_id::text || key, 0) as number from line where (select few from older) order by number
  ) as numbers
)`
}

/** True once every line is this transaction's. */
export const IS_IN_LINE = '(select count(*) from in_line_of_older) >= 0'
