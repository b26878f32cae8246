import { statement } from '../../postgres/statement.ts'

export interface AbandonedRow {
  readonly request_id: string
  readonly delivery_id: string
  readonly source: string
  readonly trigger_id: string
  readonly trigger_name: string
  readonly reply: unknown
  readonly emitted_at: Date
  readonly replied_at: Date
  readonly abandoned_at: Date
  readonly caller: string | null
}

/** Caller: Requests.abandoned. Oldest request first, because ids are in order of time. */
export const listAbandoned = statement<
  [
    appId: string,
    after: string | null,
    limit: number,
    /** Only requests that this principal asked. Null does not restrict. */
    caller: string | null,
  ],
  AbandonedRow
>(
  'list_abandoned',
  `select request_id, delivery_id, source, trigger_id, trigger_name, reply, emitted_at, replied_at, abandoned_at, caller
from {schema}.abandoned_executions
where app_id = $1 and ($2::uuid is null or request_id > $2::uuid) and ($4::text is null or caller = $4)
order by request_id limit $3`,
)
