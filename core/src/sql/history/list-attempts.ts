import type { AttemptError } from '../../contract/attempt-error.ts'
import { statement } from '../../postgres/statement.ts'

export interface AttemptRow {
  readonly id: string
  readonly delivery_id: string
  readonly event_id: string
  readonly trigger_id: string
  readonly trigger_name: string
  readonly source: string
  readonly attempt: number
  readonly started_at: Date | null
  readonly ended_at: Date
  readonly outcome: string
  readonly error: AttemptError | null
  readonly reason: string | null
  readonly caller: string | null
}

/** Caller: HistoryStore.list. Newest first. A null does not restrict. */
export const listAttempts = statement<
  [
    appId: string,
    deliveryId: string | null,
    eventId: string | null,
    triggerName: string | null,
    outcome: string | null,
    before: string | null,
    limit: number,
    /** Only of existing triggers of this registrant. */
    registrant: string | null,
  ],
  AttemptRow
>(
  'list_attempts',
  `select id, delivery_id, event_id, trigger_id, trigger_name, source, attempt, started_at, ended_at, outcome, error, reason, caller
from {schema}.attempts
where app_id = $1
  and ($2::bigint is null or delivery_id = $2)
  and ($3::uuid is null or event_id = $3)
  and ($4::text is null or trigger_name = $4)
  and ($5::text is null or outcome = $5)
  and ($6::bigint is null or id < $6)
  and ($8::text is null or trigger_id in (select t.id from {schema}.triggers t where t.app_id = $1 and t.registrant = $8))
order by id desc
limit $7`,
)
