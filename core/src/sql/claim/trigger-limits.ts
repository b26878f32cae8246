import { isLeased } from './lease-end.ts'

/** Fragments about triggers' limits, where `l` is a row of `trigger_limits`. */

/**
 * The limit, or null for none. An emitter may write any number past the bus. 0, NaN or 1e-300 would fail the statement
 * for all apps, and count as none.
 */
export const RATE = `case when l.rate_limit >= 1e-6::double precision and l.rate_limit <= 1e6::double precision then l.rate_limit end`

/** Starts count for one second, or for as long as one start takes at less than one a second. */
const WINDOW = `make_interval(secs => greatest(1::double precision, 1::double precision / (${RATE})))`

/**
 * By the time at which the statement began, so that an index finds the rows; that counts rather too many. A start of
 * the future was noted before the database's clock was set back, and does not count.
 */
function startsCount(at: string): string {
  return `${at} > statement_timestamp() - ${WINDOW} and ${at} <= statement_timestamp() + interval '1 second'`
}

/** Older processes note starts in an array. */
const STARTS = `(select coalesce(sum(s.deliveries), 0) from {schema}.trigger_starts s where s.trigger_id = l.trigger_id and ${startsCount('s.started_at')})
      + (select count(*) from unnest(l.starts) as start (at) where ${startsCount('start.at')})`

/**
 * How many more may start now, at most `most`. Right only if the row was locked before the statement began.
 * `runningFrom`: no live lease of the trigger was set before (`single-starts.ts`). Running rows are read in their
 * index's order, so that no other is planned.
 */
export function freeSlots(most: string, latest: string, runningFrom?: string): string {
  return `greatest(0, least(${most},
    coalesce(l.concurrency - (select count(*) from (
      select from {schema}.outbox r
      where r.single > 0 and r.trigger_id = l.trigger_id and r.lease_token is not null${runningFrom === undefined ? '' : ` and r.due_set_at >= ${runningFrom}`} and ${isLeased('r', latest)}
      order by r.due_set_at
    ) as running), ${most}),
    case when (${RATE}) is null then ${most} else greatest(1, ${RATE})::bigint - (${STARTS})::bigint end))`
}

/**
 * Names, for the next statement's {@link isLimitHeld}, the limits that `locked` locked. The rows get no new version.
 */
export function limitsHeld(locked: string): string {
  return `select set_config('outbus.limits_held', coalesce(string_agg(trigger_id::text, ','), ''), true) from (${locked}) as locked`
}

export function isLimitHeld(triggerId: string): string {
  return `coalesce(${triggerId}::text = any (string_to_array(current_setting('outbus.limits_held', true), ',')), false)`
}

/** Notes the starts of the rows in `due`, which has their `trigger_id`. */
export const STARTS_NOTED = `started as (
  insert into {schema}.trigger_starts (trigger_id, app_id, started_at, deliveries)
  select l.trigger_id, l.app_id, clock_timestamp(), taken.rows
  from (select trigger_id, count(*) as rows from due group by 1) as taken
  join {schema}.trigger_limits l on l.trigger_id = taken.trigger_id and (${RATE}) is not null
)`
