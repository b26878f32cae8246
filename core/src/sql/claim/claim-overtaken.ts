import { CLAIMED, CLAIMED_COLUMNS, IN_BATCHES, still } from './claim-batch.ts'
import type { ClaimedTexts } from './claim-batch.ts'
import { statement } from '../../postgres/statement.ts'

/** Where the walk ended. Stands beside each row, and alone if nothing was claimed. */
export const WALKED_TO_DUE = CLAIMED_COLUMNS.length
export const WALKED_TO_ID = WALKED_TO_DUE + 1
export const WALKED = WALKED_TO_DUE + 2

/**
 * Caller: FairRows, first in a claim transaction. Walks over a piece of one level's backlog and claims rows of apps
 * that do not crowd. Such rows are from before anybody dispatched, or were committed long after they were due.
 */
export const claimOvertaken = statement<
  [rows: number, crowding: readonly string[], level: number, afterDue: string, afterId: string, walk: number],
  ClaimedTexts
>(
  'claim_overtaken',
  `with walked as materialized (
  select id, due_at, app_id from {schema}.outbox
  where ${IN_BATCHES} and priority = $3::smallint and due_at <= now() and (due_at, id) > ($4::timestamptz, $5::bigint)
  order by due_at, id limit $6
), reached as (
  select (array_agg(due_at))[count(*)] as walked_to_due, (array_agg(id))[count(*)] as walked_to_id, count(*) as walked from walked
), claimed as materialized (
  select ${CLAIMED} from {schema}.outbox
  where id = any (array(select id from walked where app_id <> all ($2::text[]) limit $1)) and ${still(`${IN_BATCHES} and due_at <= now()`)}
  for update skip locked
)
select ${CLAIMED_COLUMNS.map((column) => `claimed.${column}`).join(', ')}, reached.* from reached left join claimed on true`,
  { raw: true },
)
