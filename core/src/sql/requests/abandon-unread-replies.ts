import { UNREAD_ABANDONED } from './reply-rows.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Dispatcher's sweeps. Abandons replies that nobody took until `slackMs` after their caller's time: the
 * caller was killed.
 */
export const abandonUnreadReplies = statement<[slackMs: number, limit: number], { request_id: string }>(
  'abandon_unread_replies',
  `with late as (
  select request_id from {schema}.replies
  where taken_at is null and reply_by <= clock_timestamp() - $1::double precision * interval '1 millisecond'
  order by reply_by limit $2 for update skip locked
), unread as (
  delete from {schema}.replies r using late where r.request_id = late.request_id returning r.*
), ${UNREAD_ABANDONED}
select request_id from abandoned`,
)
