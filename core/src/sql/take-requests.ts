import { CLAIMED, CLAIMED_COLUMNS } from './claim-batch.ts'
import type { ClaimedTexts } from './claim-batch.ts'
import { isPaused } from './pauses.ts'
import { statement } from './statement.ts'

/** What a taken request has beyond a claimed row: the lease of a holder that has vanished, if it had one. */
export const PREVIOUS_TOKEN = CLAIMED_COLUMNS.length
/** Whether its caller was gone before it was started. */
export const CALLER_GONE = CLAIMED_COLUMNS.length + 1
/** Whether its trigger is paused. */
export const PAUSED = CLAIMED_COLUMNS.length + 2

function dueRequests(waitedFor: 'is not null' | 'is null', from: string): string {
  return `select * from (
    select id as due_id, lease_token as previous_token from {schema}.outbox
    where reply_to is not null and reply_by ${waitedFor} and single = 0 and due_at <= clock_timestamp() and due_at >= to_timestamp(${from}::double precision)
    order by due_at, id limit $3 for update skip locked
  ) as due_requests`
}

/**
 * Caller: RequestLane. What somebody waits for first, then what was submitted; those of limited triggers are SingleLane's. Under a lease from the start, committed before the handler runs: a request is run once, and
 * whoever finds its lease run out answers that it crashed. By ids in an array: a join was planned as a scan of the table.
 */
export const takeRequests = statement<
  [leaseToken: string, leaseMs: number, limit: number, awaitedFrom: number, submittedFrom: number],
  ClaimedTexts
>(
  'take_requests',
  `with due as materialized (
  ${dueRequests('is not null', '$4')}
  union all
  ${dueRequests('is null', '$5')}
  limit $3
)
update {schema}.outbox o
set lease_token = $1::uuid, due_at = clock_timestamp() + $2::double precision * interval '1 millisecond', due_set_at = clock_timestamp()
where o.id = any (array(select due_id from due))
returning ${CLAIMED}, (select previous_token from due where due_id = o.id) as previous_token, o.reply_by <= clock_timestamp() as caller_gone, ${isPaused('o.app_id', 'o.trigger_id')} as paused`,
  { raw: true },
)
