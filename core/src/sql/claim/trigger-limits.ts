import { isLeased } from './lease-end.ts'

/** Fragments about the limits of triggers: `l` is a row of `trigger_limits`. */

/**
 * The limit, or null for none and for one that no bus writes. An emitter may write any number past the bus, and 0, NaN or 1e-300 would
 * fail the statement for the triggers of all apps.
 */
export const RATE = `case when l.rate_limit >= 1e-6::double precision and l.rate_limit <= 1e6::double precision then l.rate_limit end`

/** Within how many seconds starts count: one, or what one start takes where there is less than one a second. */
const WINDOW = `make_interval(secs => greatest(1::double precision, 1::double precision / (${RATE})))`

/**
 * Times are compared with the one at which the statement began, so that an index finds them. By that time rather more starts and
 * leases count than a moment later. A start of the future was noted before the clock of the database was set back: it says
 * nothing of the last second.
 */
function startsCount(at: string): string {
  return `${at} > statement_timestamp() - ${WINDOW} and ${at} <= statement_timestamp() + interval '1 second'`
}

/** Older processes note their starts in an array. */
const STARTS = `(select coalesce(sum(s.deliveries), 0) from {schema}.trigger_starts s where s.trigger_id = l.trigger_id and ${startsCount('s.started_at')})
      + (select count(*) from unnest(l.starts) as start (at) where ${startsCount('start.at')})`

/**
 * How many more may start now, at most `most`. `latest`: a parameter, see `LeaseClock`. Right only for who holds the row's lock and began its statement after. `runningFrom`: no
 * lease of the trigger that has not run out was set before (`single-starts.ts`). Running rows are read in the order of their index, so that
 * no other index is planned for them.
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

/** The limits whose rows `locked` locked, in a transaction that goes on: its next statement asks {@link isLimitHeld}. Their rows get no new version. */
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
