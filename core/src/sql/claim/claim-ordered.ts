import { CLAIMED, CLAIMED_COLUMNS, still } from './claim-batch.ts'
import type { ClaimedTexts } from './claim-batch.ts'
import { statement } from '../../postgres/statement.ts'
import { LAST_ID } from './take-requests.ts'

/** Where the claim stopped looking. Stands beside each row, and alone if nothing was claimed. */
export const LAST_TRIGGER = CLAIMED_COLUMNS.length
export const LAST_KEY = LAST_TRIGGER + 1
export const LAST_VISITED = LAST_TRIGGER + 2
export const LAST_FOUND = LAST_TRIGGER + 3

/**
 * Caller: OrderedRows, first in a claim transaction, if an app has more due rows than `claimOrderedDue` looks at.
 * Claims the first row of each (trigger, ordering key) if it is due, by one index probe a key. A first row that waits,
 * is leased or is to run alone holds back its key only. No row can appear before the first one, because emits to a key
 * wait for each other's commit.
 */
export const claimOrdered = statement<
  [rows: number, afterTrigger: string, afterKey: string, visits: number, bytes: number],
  ClaimedTexts
>(
  'claim_ordered',
  `with recursive heads as (
  (select trigger_id, ordering_key, id, due_at <= now() and not alone and not paused as due, 1 as visited, (due_at <= now() and not alone and not paused)::integer as found
  from {schema}.outbox
  where ordering_key is not null and (trigger_id, ordering_key) > ($2::uuid, $3::text)
  order by trigger_id, ordering_key, id limit 1)
  union all
  select next.trigger_id, next.ordering_key, next.id, next.due, heads.visited + 1, heads.found + next.due::integer
  from heads cross join lateral (
    select o.trigger_id, o.ordering_key, o.id, o.due_at <= now() and not o.alone and not o.paused as due from {schema}.outbox o
    where o.ordering_key is not null and (o.trigger_id, o.ordering_key) > (heads.trigger_id, heads.ordering_key)
    order by o.trigger_id, o.ordering_key, o.id limit 1
  ) as next
  where heads.visited < $4::integer and heads.found < $1::integer
), last as (
  select trigger_id as last_trigger, ordering_key as last_key, visited as last_visited, found as last_found
  from heads where visited = (select max(visited) from heads)
), claimed as materialized (
  select ${CLAIMED} from {schema}.outbox
  where id = any (array(select id from heads where due)) and ${still('due_at <= now() and not alone and not paused')}
  for update skip locked
), sized as (
  select *, sum(pg_column_size(event)) over (rows between unbounded preceding and 1 preceding) as bytes_before from claimed
)
select ${CLAIMED_COLUMNS.map((column) => `sized.${column}`).join(', ')}, last.*
from last left join sized on bytes_before is null or bytes_before < $5::bigint`,
  { raw: true },
)

/** How many due rows a claim looks at: of each app, at least two; and of all together. */
const DUE_OF_APP = 200
const DUE_OF_ALL = 2_000
/**
 * Whether it looked at every due row, and whether there is any row. Beside each row, and alone if nothing was claimed.
 */
export const SAW_ALL_DUE = CLAIMED_COLUMNS.length
export const HAS_LINES = SAW_ALL_DUE + 1

const DUE_IN_ORDER = `ordering_key is not null and not alone and not paused and app_id > ''`

/**
 * Caller: OrderedRows, before `claimOrdered` (docs/claim-protocol.md, "Rows in order"). Neither keys whose first row
 * cannot run now nor other apps' rows make it slower.
 */
export const claimOrderedDue = statement<[rows: number, bytes: number], ClaimedTexts>(
  'claim_ordered_due',
  `with recursive apps as (
  (select app_id from {schema}.outbox where ${DUE_IN_ORDER} order by app_id, due_at, id limit 1)
  union all
  select next.app_id from apps cross join lateral (
    select app_id from {schema}.outbox where ${DUE_IN_ORDER} and app_id > apps.app_id order by app_id, due_at, id limit 1
  ) as next
), shares as materialized (
  select app_id, greatest(2, least(${DUE_OF_APP}, ${DUE_OF_ALL} / count(*) over ())) as share from apps
), due as materialized (
  select shares.share, of_app.* from shares cross join lateral (
    select app_id, id, trigger_id, ordering_key, due_at from {schema}.outbox
    where ${DUE_IN_ORDER} and (app_id, due_at, id) >= (shares.app_id, '-infinity'::timestamptz, 0::bigint)
      and (app_id, due_at, id) <= (shares.app_id, now(), ${LAST_ID})
    order by app_id, due_at, id limit shares.share
  ) as of_app
), seen as (
  select not exists (select from due group by app_id, share having count(*) = share) as saw_all_due,
    (select true from {schema}.outbox where ordering_key is not null order by trigger_id, ordering_key, id limit 1) as has_lines
), heads as materialized (
  select id, row_number() over (partition by app_id order by due_at, id) as turn from due
  where id = (
    select o.id from {schema}.outbox o
    where o.ordering_key is not null and o.trigger_id = due.trigger_id and o.ordering_key = due.ordering_key
    order by o.trigger_id, o.ordering_key, o.id limit 1
  )
), claimed as materialized (
  select ${CLAIMED} from {schema}.outbox
  where id = any (array(select id from heads order by turn, id limit $1)) and ${still('due_at <= now() and not alone and not paused')}
  for update skip locked
), sized as (
  select *, sum(pg_column_size(event)) over (rows between unbounded preceding and 1 preceding) as bytes_before from claimed
)
select ${CLAIMED_COLUMNS.map((column) => `sized.${column}`).join(', ')}, seen.*
from seen left join sized on bytes_before is null or bytes_before < $2::bigint`,
  { raw: true },
)

/** How many rows behind a mark one claim looks at. */
export const NEAR_LINES = 2_000
/** How many rows were looked at. Beside each row, and alone if nothing was claimed. */
export const NEAR_SEEN = CLAIMED_COLUMNS.length

/**
 * Caller: OrderedRows, while there is a mark, below which no ordered row has its id (`starts.ts`). A key's first row is
 * then first by id. Rows beyond the limit come after these.
 */
export const claimOrderedNear = statement<[rows: number, from: number, bytes: number], ClaimedTexts>(
  'claim_ordered_near',
  `with near as materialized (
  select id, trigger_id, ordering_key, due_at <= now() and not alone and not paused as due from {schema}.outbox
  where ordering_key is not null and id >= $2::bigint
  order by id limit ${NEAR_LINES}
), heads as materialized (
  select distinct on (trigger_id, ordering_key) id, due from near order by trigger_id, ordering_key, id
), claimed as materialized (
  select ${CLAIMED} from {schema}.outbox
  where id = any (array(select id from heads where due limit $1)) and ${still('due_at <= now() and not alone and not paused')}
  for update skip locked
), sized as (
  select *, sum(pg_column_size(event)) over (rows between unbounded preceding and 1 preceding) as bytes_before from claimed
)
select ${CLAIMED_COLUMNS.map((column) => `sized.${column}`).join(', ')}, seen.rows
from (select count(*) as rows from near) as seen left join sized on bytes_before is null or bytes_before < $3::bigint`,
  { raw: true },
)
