import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Inbox, for requests that wait in its process. Replies are marked, not deleted: if the answer is lost, asking
 * again gives the same.
 */
export const takeReplies = statement<
  [requestIds: readonly string[]],
  { request_id: string; trigger_id: string; reply: unknown }
>(
  'take_replies',
  `update {schema}.replies set taken_at = clock_timestamp() where request_id = any ($1::uuid[]) returning request_id, trigger_id, reply`,
)
