/** Fragments about the limits of triggers: `l` is a row of `trigger_limits`. */

/** Within how many seconds starts count: one, or what one start takes where there is less than one a second. */
const WINDOW = `make_interval(secs => greatest(1, 1 / l.rate_limit))`

/** One from the future was noted before the clock of the database was set back: it says nothing of the last second. */
const COUNTED_STARTS = `unnest(l.starts) as start (at) where start.at > clock_timestamp() - ${WINDOW} and start.at <= clock_timestamp() + interval '1 second'`

/** How many more may start now, at most `most`. Right only for who holds the row's lock and began its statement after. */
export function freeSlots(most: string): string {
  return `greatest(0, least(${most},
    coalesce(l.concurrency - (select count(*) from {schema}.outbox r
      where r.single > 0 and r.trigger_id = l.trigger_id and r.lease_token is not null and r.due_at > clock_timestamp()), ${most}),
    case when l.rate_limit is null then ${most} else greatest(1, l.rate_limit)::bigint - (select count(*) from ${COUNTED_STARTS}) end))`
}

/** Notes the starts of the rows in `due`, which has their `trigger_id`. */
export const STARTS_NOTED = `started as (
  update {schema}.trigger_limits l
  set starts = array(select at from ${COUNTED_STARTS}) || array_fill(clock_timestamp(), array[taken.rows::integer])
  from (select trigger_id, count(*) as rows from due group by 1) as taken
  where l.trigger_id = taken.trigger_id and l.rate_limit is not null
)`
