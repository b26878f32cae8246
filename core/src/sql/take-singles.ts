import { CLAIMED, CLAIMED_COLUMNS } from './claim-batch.ts'
import type { ClaimedTexts } from './claim-batch.ts'
import { isPaused } from './pauses.ts'
import { statement } from './statement.ts'
import { freeSlots, STARTS_NOTED } from './trigger-limits.ts'

/** What a taken row has beyond a claimed one: the lease of a holder that has vanished, if it had one. */
export const PREVIOUS_TOKEN = CLAIMED_COLUMNS.length
// As takeRequests has them, up to here: a request goes the same way once it is taken.
export const TAKEN_TRIGGER = CLAIMED_COLUMNS.length + 3
export const IS_REQUEST = CLAIMED_COLUMNS.length + 4

/** Triggers that one statement looks at; the others' turn comes with the next one. */
const VISITS = 500

function dueOfLevel(trigger: string, level: number, columns: string, more = ''): string {
  return `select ${columns} from {schema}.outbox
      where single = $4::smallint and single > 0 and not alone and trigger_id = ${trigger} and priority = ${level} and due_at <= now() and not paused${more}`
}

function isDue(trigger: string): string {
  return [2, 1, 0].map((level) => `exists (${dueOfLevel(trigger, level, '')})`).join(' or ')
}

/** One index probe a trigger, however many rows each has. */
const WAITING = `waiting as (
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
)`

export type TakeSinglesParameters = [
  leaseToken: string,
  leaseMs: number,
  limit: number,
  single: number,
  afterTrigger: string,
]

/**
 * Caller: SingleLane, first in its transaction. Locks the limits of triggers that have due rows and room for them: who
 * counts what runs must be alone in it. Those that somebody else has locked are his this time.
 */
export const lockLimits = statement<TakeSinglesParameters, never>(
  'lock_limits',
  `with recursive ${WAITING}
update {schema}.trigger_limits set holder = $1::uuid
where $2::double precision > 0 and trigger_id = any (array(
  select l.trigger_id from {schema}.trigger_limits l
  where l.trigger_id = any (array(
      select trigger_id from waiting
      where (${isDue('waiting.trigger_id')}) and not ${isPaused('waiting.app_id', 'waiting.trigger_id')}
    )) and ${freeSlots('$3::bigint')} > 0
  order by l.trigger_id for update skip locked
))`,
)

/**
 * Caller: SingleLane, second in its transaction, so that it sees what ran when the limits were locked. Due rows in the
 * order of their triggers, then by priority and due time, as many as each trigger's limit has room for; under a lease
 * from the start, committed before a handler runs.
 */
export const takeSingles = statement<TakeSinglesParameters, ClaimedTexts>(
  'take_singles',
  `with recursive ${WAITING}, room as materialized (
  select waiting.trigger_id, case when l.trigger_id is null then $3::bigint when l.holder is distinct from $1::uuid then 0 else ${freeSlots('$3::bigint')} end as slots
  from waiting left join {schema}.trigger_limits l on l.trigger_id = waiting.trigger_id
  where not ${isPaused('waiting.app_id', 'waiting.trigger_id')}
), due as materialized (
  select taken.* from room cross join lateral (
    ${[2, 1, 0]
      .map(
        (level) => `select * from (
      ${dueOfLevel('room.trigger_id', level, 'id as due_id, trigger_id, lease_token as previous_token', `\n      order by due_at, id limit room.slots for update skip locked`)}
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
