import { CLAIMED, CLAIMED_COLUMNS } from './claim-batch.ts'
import type { ClaimedTexts } from './claim-batch.ts'
import { isLeased } from './lease-end.ts'
import { isPaused } from '../pause/pauses.ts'
import { statement } from '../../postgres/statement.ts'

/** The column of the lease that the row had before, whose holder vanished. */
export const PREVIOUS_TOKEN = CLAIMED_COLUMNS.length
/** Whether the caller was gone before the start. */
export const CALLER_GONE = CLAIMED_COLUMNS.length + 1
/** Whether the trigger is paused. */
export const PAUSED = CLAIMED_COLUMNS.length + 2

/** The conditions of the indexes of requests: somebody waits for the reply, or it is kept. */
const AWAITED = 'reply_to is not null and reply_by is not null and single = 0'
const SUBMITTED = 'reply_to is not null and reply_by is null and single = 0'

/** No id is larger. */
export const LAST_ID = '9223372036854775807'

/**
 * `now()` and not `clock_timestamp()`: only a stable bound ends a look in an index. Rows are compared, not times alone:
 * for a time between two bounds few rows were expected, and everything due was sorted for each take.
 */
function dueRequests(kind: string, from: string, columns: string, limit: string, order = ''): string {
  return `select ${columns} from {schema}.outbox o
    where ${kind} and due_at >= to_timestamp(${from}::double precision) and (due_at, id) <= (now(), ${LAST_ID}) and not ${isLeased('o', '$6')}
    order by due_at ${order}, id ${order} limit ${limit}`
}

function byAge(kind: string, from: string): string {
  return `select * from (
    ${dueRequests(kind, from, 'id as due_id, lease_token as previous_token', '$3')} for update skip locked
  ) as due_requests`
}

const TAKE_DUE = `update {schema}.outbox o
set lease_token = $1::uuid, due_at = clock_timestamp() + $2::double precision * interval '1 millisecond', due_set_at = clock_timestamp()
where o.id = any (array(select due_id from due))
returning ${CLAIMED}, (select previous_token from due where due_id = o.id) as previous_token, o.reply_by <= clock_timestamp() as caller_gone, ${isPaused('o.app_id', 'o.trigger_id')} as paused`

export type TakeRequestsParameters = [
  leaseToken: string,
  leaseMs: number,
  limit: number,
  awaitedFrom: number,
  submittedFrom: number,
  latest: number,
]

/**
 * Caller: RequestLane, while there is no backlog. Awaited requests come before submitted ones; SingleLane takes those
 * of limited triggers. The lease commits before the handler runs, so a request runs once; whoever finds its lease run
 * out answers that it crashed. Ids in an array: a join was planned as a scan of the table.
 */
export const takeRequests = statement<TakeRequestsParameters, ClaimedTexts>(
  'take_requests',
  `with due as materialized (
  ${byAge(AWAITED, '$4')}
  union all
  ${byAge(SUBMITTED, '$5')}
  limit $3
)
${TAKE_DUE}`,
  { raw: true },
)

/**
 * True of every row, and part of the indexes by app: no other look is planned by them. Before the first analyze, looks
 * by age were, and sorted everything.
 */
const OF_APP = `app_id > ''`

/** Where a take in turns looks for apps: `whole` everywhere, `near` behind the marks of `Starts`. */
type Reach = 'whole' | 'near'

/** How many of the oldest and of the newest requests of each kind `near` looks at for their apps. */
const NEAR = 1_000

const APPS_WITH: Record<Reach, (name: string, kind: string, from: string) => string> = {
  /** One index probe an app, however many requests it has. */
  whole: (name, kind) => `${name} as (
  (select app_id from {schema}.outbox where ${kind} and ${OF_APP} order by app_id, due_at, id limit 1)
  union all
  select next.app_id from ${name} cross join lateral (
    select app_id from {schema}.outbox where ${kind} and ${OF_APP} and app_id > ${name}.app_id order by app_id, due_at, id limit 1
  ) as next
)`,
  /** Skips what lies before each app's first request while some transaction pins the xmin horizon. */
  near: (name, kind, from) => `${name} as (
  select * from (${dueRequests(kind, from, 'app_id', String(NEAR))}) as oldest
  union all
  select * from (${dueRequests(kind, from, 'app_id', String(NEAR), 'desc')}) as newest
)`,
}

function dueOfApp(kind: string, from: string, rank: number): string {
  return `select * from (
        select id, lease_token, due_at, ${rank} as rank from {schema}.outbox o
        where ${kind} and ${OF_APP} and (app_id, due_at, id) >= (rooms.app_id, to_timestamp(${from}::double precision), 0::bigint)
          and (app_id, due_at, id) <= (rooms.app_id, now(), ${LAST_ID}) and not ${isLeased('o', '$6')}
        order by app_id, due_at, id limit rooms.room for update skip locked
      ) as of_kind_${rank}`
}

export type TakeInTurnsParameters = [
  ...TakeRequestsParameters,
  apps: readonly string[],
  running: readonly number[],
  free: number,
]

function takeInTurns(name: string, reach: Reach) {
  return statement<TakeInTurnsParameters, ClaimedTexts>(
    name,
    `with recursive ${APPS_WITH[reach]('awaited', AWAITED, '$4')}, ${APPS_WITH[reach]('submitted', SUBMITTED, '$5')}, apps as materialized (
  select app_id, coalesce(($8::integer[])[array_position($7::text[], app_id)], 0) as running, count(*) over () as apps
  from (select app_id from awaited union select app_id from submitted) as either
), several as materialized (
  select count(*) > 1 as apps from (select from {schema}.trigger_epochs order by app_id limit 2) as first_two
), rooms as materialized (
  select apps.app_id, apps.running, least($3::bigint, greatest(2, 2 * $3::bigint / apps.apps),
    case when several.apps then greatest(case when apps.running = 0 then 1 else 0 end, (3 * $9::bigint - apps.running) / 4) else $3::bigint end) as room
  from apps cross join several
), found as materialized (
  select id, lease_token, rank, due_at, rooms.running + row_number() over (partition by rooms.app_id order by rank, due_at, id) as turn
  from rooms cross join lateral (
    select * from (
      ${dueOfApp(AWAITED, '$4', 0)}
      union all
      ${dueOfApp(SUBMITTED, '$5', 1)}
    ) as both_kinds limit rooms.room
  ) as of_app
), due as materialized (
  select id as due_id, lease_token as previous_token from found order by turn, rank, due_at, id limit $3
)
${TAKE_DUE}`,
    { raw: true },
  )
}

/**
 * Caller: RequestLane, while there is a backlog, or an app holds its share of the permits. Apps that run fewer requests
 * come first. `running`: how many each of `apps` runs in this process. `free`: unused permits. Among several apps, each
 * may run at most three times what would stay free. It locks at most twice what it takes, or two of each app.
 */
export const takeRequestsInTurns = takeInTurns('take_requests_in_turns', 'whole')

/** Caller: RequestLane, instead, while there are marks. */
export const takeRequestsInTurnsNear = takeInTurns('take_requests_in_turns_near', 'near')
