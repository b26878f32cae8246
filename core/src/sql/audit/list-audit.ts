import type { JsonValue } from '../../contract/json.ts'
import { statement } from '../../postgres/statement.ts'

export interface AuditRow {
  readonly id: string
  readonly at: Date
  readonly action: string
  readonly operation: string
  readonly resource: string | null
  readonly principal: string | null
  readonly caller: string | null
  readonly bound_by: readonly string[]
  readonly before: JsonValue
  readonly after: JsonValue
  readonly host: string | null
  readonly pid: number | null
  readonly application: string
  readonly login: string
  readonly origin: string | null
}

/**
 * Caller: AuditStore.list. Newest first. A null does not restrict. Times are compared without an `or`, so that a
 * generic plan skips other days. With one, a look at one hour read a year's million rows.
 */
export const listAudit = statement<
  [
    appId: string,
    action: string | null,
    operation: string | null,
    resource: string | null,
    principal: string | null,
    /** True: only what the service itself did. */
    ofService: boolean,
    since: string | null,
    until: string | null,
    /** The principal that reads only what it did itself. */
    alone: string | null,
    before: string | null,
    limit: number,
  ],
  AuditRow
>(
  'list_audit',
  `select id, at, action, operation, resource, principal, caller, bound_by, before, after, host, pid, application, login, origin
from {schema}.audit
where app_id = $1
  and ($2::text is null or action = $2)
  and ($3::text is null or operation = $3)
  and ($4::text is null or resource = $4)
  and ($5::text is null or principal = $5)
  and (not $6::boolean or principal is null)
  and at >= coalesce($7::timestamptz, '-infinity')
  and at < coalesce($8::timestamptz, 'infinity')
  and ($9::text is null or principal = $9)
  and ($10::bigint is null or id < $10)
order by id desc
limit $11`,
)
