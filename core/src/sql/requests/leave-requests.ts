import { UNREAD_ABANDONED } from './reply-rows.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Inbox, for callers that stopped waiting. A reply becomes an abandoned execution, even if it was taken and
 * never reached its caller. A row in the outbox learns that its caller is gone. A request that is not in the answer was
 * being settled: asked again, its reply is there.
 */
export const leaveRequests = statement<[requestIds: readonly string[]], { request_id: string }>(
  'leave_requests',
  `with unread as (
  delete from {schema}.replies where request_id = any ($1::uuid[]) returning *
), ${UNREAD_ABANDONED}, left_behind as (
  update {schema}.outbox set reply_by = least(reply_by, clock_timestamp())
  where reply_to is not null and event_id = any ($1::uuid[])
  returning event_id
)
select request_id from abandoned
union all select event_id from left_behind
union all select request_id from {schema}.abandoned_executions where request_id = any ($1::uuid[])`,
)
