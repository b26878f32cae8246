import { CLAIMED, CLAIMED_COLUMNS } from './claim-batch.ts'
import type { ClaimedTexts } from './claim-batch.ts'
import { isLeased } from './lease-end.ts'
import { isPaused } from '../pause/pauses.ts'
import type { SingleMarks } from './find-single-starts.ts'
import { statement } from '../../postgres/statement.ts'
import { freeSlots, isLimitHeld, limitsHeld, STARTS_NOTED } from './trigger-limits.ts'

export const PREVIOUS_TOKEN = CLAIMED_COLUMNS.length
// The columns before these are those of takeRequests, because a taken request goes the same way.
export const TAKEN_TRIGGER = CLAIMED_COLUMNS.length + 3
export const IS_REQUEST = CLAIMED_COLUMNS.length + 4

/** How many triggers one statement looks at. The others' turn comes next. */
const VISITS = 500
/** How many new rows one statement assigns to triggers. The others' turn comes when the marks are moved. */
const COME_SINCE = 1_000

/** Where a look begins: `whole` at the very start, `near` at each trigger's marks. */
type Reach = 'whole' | 'near'

/** The parameter that says which leases are over. */
const LATEST: Record<Reach, string> = { whole: '$6', near: '$13' }

function dueOfLevel(reach: Reach, of: string, level: number, columns: string, more = ''): string {
  return `select ${columns} from {schema}.outbox o
      where single = $4::smallint and single > 0 and not alone and trigger_id = ${of}.trigger_id and priority = ${level} and due_at <= now()${reach === 'near' ? ` and due_at >= ${of}.due_from` : ''} and not paused and not ${isLeased('o', LATEST[reach])}${more}`
}

/** Reads the first row by its index: `exists` was planned as a hash of everything due. */
function isDue(reach: Reach, of: string): string {
  return [2, 1, 0]
    .map((level) => `(${dueOfLevel(reach, of, level, 'true', ' order by due_at, id limit 1')}) is not null`)
    .join(' or ')
}

function free(reach: Reach, of: string): string {
  return freeSlots('$3::bigint', LATEST[reach], reach === 'near' ? `${of}.running_from` : undefined)
}

const WAITING: Record<Reach, string> = {
  /** One index probe a trigger, however many rows it has. */
  whole: `waiting as (
  (select app_id, trigger_id, 1 as visited from {schema}.outbox
  where single = $4::smallint and single > 0 and not alone and trigger_id > $5::uuid
  order by trigger_id limit 1)
  union all
  select next.app_id, next.trigger_id, waiting.visited + 1
  from waiting cross join lateral (
    select o.app_id, o.trigger_id from {schema}.outbox o
    where o.single = $4::smallint and o.single > 0 and not o.alone and o.trigger_id > waiting.trigger_id
    order by o.trigger_id limit 1
  ) as next
  where waiting.visited < ${VISITS}
)`,
  /** Triggers that had rows when the marks were moved, and those whose rows have come since. */
  near: `mark as materialized (
  select case when statement_timestamp() >= to_timestamp($12::double precision) then to_timestamp($11::double precision) else '-infinity' end as otherwise,
    statement_timestamp() >= to_timestamp($12::double precision) as holds
), waiting as materialized (
  select app_id, trigger_id, case when mark.holds then to_timestamp(due_from) else '-infinity' end as due_from,
    case when mark.holds then to_timestamp(running_from) else '-infinity' end as running_from
  from unnest($6::text[], $7::uuid[], $8::double precision[], $9::double precision[]) as known (app_id, trigger_id, due_from, running_from), mark
  where trigger_id > $5::uuid
  union all
  select come.app_id, come.trigger_id, mark.otherwise, mark.otherwise
  from (
    select distinct app_id, trigger_id from (
      select app_id, trigger_id from {schema}.outbox where single > 0 and id > $10::bigint order by id limit ${COME_SINCE}
    ) as first_come
  ) as come, mark
  where come.trigger_id > $5::uuid and come.trigger_id <> all ($7::uuid[])
  order by trigger_id
)`,
}

type Take = [leaseToken: string, leaseMs: number, limit: number, single: number, afterTrigger: string]

export type TakeSinglesParameters = [...Take, latest: number]

/** With the marks of `SingleStarts`. */
export type TakeSinglesNearParameters = [...Take, ...SingleMarks, latest: number]

/** Has the parameters of the take that follows. Postgres wants types for all, so unused ones are mentioned. */
function lockStatement<P extends readonly unknown[]>(name: string, reach: Reach) {
  return statement<P, never>(
    name,
    `with recursive ${WAITING[reach]}, ready as materialized (
  select * from waiting
  where $1::uuid is not null and $2::double precision > 0::double precision and (${isDue(reach, 'waiting')}) and not ${isPaused('waiting.app_id', 'waiting.trigger_id')}
)
${limitsHeld(`
  select l.trigger_id from ready join {schema}.trigger_limits l on l.trigger_id = ready.trigger_id
  where ${free(reach, 'ready')} > 0
  for update of l skip locked
`)}`,
  )
}

/**
 * Caller: SingleLane, first in its transaction. Locks the limits of triggers with due rows and room, because whoever
 * counts what runs must be alone in it. Limits that another session has locked are left to that session.
 */
export const lockLimits = lockStatement<TakeSinglesParameters>('lock_limits', 'whole')

/** Caller: SingleLane, instead, while there are marks. */
export const lockLimitsNear = lockStatement<TakeSinglesNearParameters>('lock_limits_near', 'near')

function takeStatement<P extends readonly unknown[]>(name: string, reach: Reach) {
  return statement<P, ClaimedTexts>(
    name,
    `with recursive ${WAITING[reach]}, room as materialized (
  select waiting.*, case when l.trigger_id is null then $3::bigint when not ${isLimitHeld('l.trigger_id')} then 0 else ${free(reach, 'waiting')} end as slots
  from waiting left join {schema}.trigger_limits l on l.trigger_id = waiting.trigger_id
  where not ${isPaused('waiting.app_id', 'waiting.trigger_id')}
), due as materialized (
  select taken.* from room cross join lateral (
    ${[2, 1, 0]
      .map(
        (level) => `select * from (
      ${dueOfLevel(reach, 'room', level, 'id as due_id, trigger_id, lease_token as previous_token', `\n      order by due_at, id limit room.slots for update skip locked`)}
    ) as level_${level}`,
      )
      .join('\n    union all\n    ')}
    limit room.slots
  ) as taken
  limit $3
), ${STARTS_NOTED}
update {schema}.outbox o
set lease_token = $1::uuid, due_at = clock_timestamp() + $2::double precision * interval '1 millisecond', due_set_at = clock_timestamp()
where o.id = any (array(select due_id from due))
returning ${CLAIMED}, (select previous_token from due where due_id = o.id) as previous_token,
  o.reply_by <= clock_timestamp() as caller_gone, false as paused, o.trigger_id, o.reply_to is not null as is_request`,
    { raw: true },
  )
}

/**
 * Caller: SingleLane, second in its transaction, to see what ran when the limits were locked. Takes due rows by
 * trigger, priority and due time, as many as each limit has room for.
 */
export const takeSingles = takeStatement<TakeSinglesParameters>('take_singles', 'whole')

/** Caller: SingleLane, instead, while there are marks. */
export const takeSinglesNear = takeStatement<TakeSinglesNearParameters>('take_singles_near', 'near')
