import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Inbox, for the requests that are waiting in its process and nobody else's. Marked, not deleted: when this
 * statement's answer is lost, asking again gives the same reply.
 */
export const takeReplies = statement<
  [requestIds: readonly string[]],
  { request_id: string; trigger_id: string; reply: unknown }
>(
  'take_replies',
  `update {schema}.replies set taken_at = clock_timestamp() where request_id = any ($1::uuid[]) returning request_id, trigger_id, reply`,
)
