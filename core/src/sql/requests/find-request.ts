import { statement } from '../../postgres/statement.ts'

export interface FoundRequest {
  readonly state: 'pending' | 'replied' | 'abandoned'
  readonly trigger_id: string
  readonly caller: string | null
  readonly reply: unknown
}

/** Caller: Requests.get. No row: the request was never asked, is another app's, or is long over. */
export const findRequest = statement<[appId: string, requestId: string], FoundRequest>(
  'find_request',
  `select 'abandoned' as state, trigger_id, caller, reply from {schema}.abandoned_executions where app_id = $1 and request_id = $2::uuid
union all
select 'replied', trigger_id, caller, reply from {schema}.replies where app_id = $1 and request_id = $2::uuid
union all
select 'pending', trigger_id, caller, null from {schema}.outbox where app_id = $1 and event_id = $2::uuid and reply_to is not null`,
)
