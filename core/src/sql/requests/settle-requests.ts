import { ANSWERED, GONE_COLUMNS } from './reply-rows.ts'
import { statement } from '../../postgres/statement.ts'

export interface AnsweredRow {
  readonly delivery_id: string
  readonly request_id: string
  readonly reply_to: string
  /** The caller was gone, so the reply is with the abandoned executions. */
  readonly abandoned: boolean
}

/**
 * Caller: RequestSettler. Deletes the row and writes its reply, fenced by the lease token: a request missing from the
 * answer was taken over. A caller that leaves just then has locked the row, or finds the reply.
 */
export const settleRequests = statement<
  [ids: readonly string[], leaseTokens: readonly string[], replies: readonly string[]],
  AnsweredRow
>(
  'settle_requests',
  `with gone as materialized (
  delete from {schema}.outbox o using unnest($1::bigint[], $2::uuid[], $3::text[]) as ended (id, lease_token, reply)
  where o.id = ended.id and o.lease_token = ended.lease_token
  returning ${GONE_COLUMNS}, ended.reply::json as reply
), ${ANSWERED}
select delivery_id, event_id as request_id, reply_to, abandoned from gone`,
)
