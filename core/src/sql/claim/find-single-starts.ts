import { isLeased } from './lease-end.ts'
import { statement } from '../../postgres/statement.ts'

/** Where a look at rows taken one by one begins. Times are seconds since 1970 by the database's clock. */
type SingleFroms = [
  apps: readonly string[],
  triggerIds: readonly string[],
  /** No row of the trigger can appear any more that is due before. */
  dueFroms: readonly number[],
  /** No live lease of the trigger was set before. */
  runningFroms: readonly number[],
  /** All rows up to this id have their triggers named here. */
  newerThan: number,
  /** Both times, for triggers that are not named. */
  otherwise: number,
]

/** What a take that begins at marks needs. Marks do not hold while the clock is before `markedAt`. */
export type SingleMarks = [...SingleFroms, markedAt: number]

export interface SingleStartRow {
  readonly app_id: string
  readonly trigger_id: string
  /** When its first due row was due. Null: none is. */
  readonly due_s: number | null
  /** When its oldest live lease was set. Null: nothing runs. */
  readonly running_s: number | null
}

const SINGLES = [1, 2]

function firstsOf(
  of: string,
  more: { readonly due: string; readonly running: string; readonly latest: string },
): string {
  const due = SINGLES.flatMap((single) =>
    [2, 1, 0].map(
      (level) => `(select due_at from {schema}.outbox o where o.single = ${single} and o.single > 0 and not o.alone
      and o.trigger_id = ${of}.trigger_id and o.priority = ${level} and o.due_at <= statement_timestamp()${more.due} order by o.due_at, o.id limit 1)`,
    ),
  )
  return `date_part('epoch', least(${due.join(',\n    ')})) as due_s,
  date_part('epoch', (select r.due_set_at from {schema}.outbox r where r.single > 0 and r.lease_token is not null and r.trigger_id = ${of}.trigger_id
    and ${isLeased('r', more.latest)}${more.running} order by r.due_set_at limit 1)) as running_s`
}

/**
 * Caller: SingleStarts. What is first for each named trigger from where the last look ended, and for triggers whose
 * rows have come since. It locks nothing, so it sees rows whose deletion is not committed.
 */
export const findSingleStarts = statement<[...SingleFroms, latest: number], SingleStartRow>(
  'find_single_starts',
  `with known as materialized (
  select app_id, trigger_id, to_timestamp(due_from) as due_from, to_timestamp(running_from) as running_from
  from unnest($1::text[], $2::uuid[], $3::double precision[], $4::double precision[]) as named (app_id, trigger_id, due_from, running_from)
  union all
  select come.app_id, come.trigger_id, to_timestamp($6::double precision), to_timestamp($6::double precision)
  from (select distinct app_id, trigger_id from (
    select o.app_id, o.trigger_id from {schema}.outbox o where o.single > 0 and o.id > $5::bigint order by o.id
  ) as in_order) as come
  where come.trigger_id <> all ($2::uuid[])
)
select known.app_id, known.trigger_id, ${firstsOf('known', { due: ' and o.due_at >= known.due_from', running: ' and r.due_set_at >= known.running_from', latest: '$7' })}
from known`,
)

/** One trigger that has rows. All null: there is none. */
export interface FirstSingleStartRow {
  readonly app_id: string | null
  readonly trigger_id: string | null
  readonly due_s: number | null
  readonly running_s: number | null
  /** How long the server looked. Stands beside each row. */
  readonly took_ms: number
}

/**
 * Caller: SingleStarts. What is first for each trigger that has rows, from the very start. `limit` bounds the triggers
 * for each way of taking. Rows to run alone count too, since they may come back from their lane.
 */
export const findFirstSingleStarts = statement<[limit: number, latest: number], FirstSingleStartRow>(
  'find_first_single_starts',
  `with recursive begun as materialized (select clock_timestamp() as at), ${SINGLES.map(
    (single) => `of_${single} as (
  (select o.app_id, o.trigger_id, 1 as visited from {schema}.outbox o
  where o.single = ${single} and o.single > 0 and not o.alone order by o.trigger_id limit 1)
  union all
  select next.app_id, next.trigger_id, of_${single}.visited + 1
  from of_${single} cross join lateral (
    select o.app_id, o.trigger_id from {schema}.outbox o
    where o.single = ${single} and o.single > 0 and not o.alone and o.trigger_id > of_${single}.trigger_id order by o.trigger_id limit 1
  ) as next
  where of_${single}.visited < $1::integer
)`,
  ).join(', ')}, found as materialized (
  ${SINGLES.map((single) => `select app_id, trigger_id from of_${single}`).join(' union ')}
  union select app_id, trigger_id from {schema}.outbox where alone and single > 0
), firsts as materialized (
  select found.app_id, found.trigger_id, ${firstsOf('found', { due: '', running: '', latest: '$2' })}
  from found
)
select firsts.app_id, firsts.trigger_id, firsts.due_s, firsts.running_s,
  (date_part('epoch', clock_timestamp() - begun.at) * 1000::double precision) as took_ms
from begun left join firsts on true`,
)
