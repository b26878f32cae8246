/** Reads who changed what in an app. The auditor writes it. */
import { z } from 'zod'
import type { CallScope } from '../contract/scope.ts'
import { assertRowId } from '../validation/ids.ts'
import type { JsonValue } from '../contract/json.ts'
import type { Page, PageOptions } from '../validation/page.ts'
import { decodeCursor, encodeCursor, pageLimit, pageSchema, toPage } from '../validation/page.ts'
import type { Access } from '../principals/access.ts'
import type { AuditRow } from '../sql/audit/list-audit.ts'
import { listAudit } from '../sql/audit/list-audit.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { dateSchema } from '../validation/kinds.ts'
import { nameSchema } from '../validation/names.ts'
import { parseWith } from '../validation/zod-error.ts'
import { isoText } from '../time/clock.ts'

export interface AuditEntry {
  readonly id: string
  /** By the database's clock. */
  readonly at: Date
  /** What the `Authorizer` was asked about, such as `trigger.update`. */
  readonly action: string
  /** The call, such as `triggers.disable`. */
  readonly operation: string
  /** The id of the trigger, principal, delivery or dead letter. Undefined: several, or the app. */
  readonly resource: string | undefined
  /** Whose rights the change was made with; undefined for the service. */
  readonly principal: string | undefined
  /** Who emitted the event whose handler made the change; otherwise as `principal`. Undefined for the service. */
  readonly caller: string | undefined
  /** Whose rights counted too, if a context acted for somebody (`cx.as`). */
  readonly boundBy: readonly string[]
  /**
   * The state before and after: settings, counts and selections, never a payload. Null: nothing was there, or is. A
   * large member is `{ cutBytes, sha256 }`.
   */
  readonly before: JsonValue
  readonly after: JsonValue
  readonly from: {
    readonly host: string | undefined
    readonly pid: number | undefined
    /** The session's `application_name`, and the role that it logged in as. */
    readonly application: string
    readonly login: string
    /** What the context said (`bus.context({ origin })`), or the delivery whose handler made the change. */
    readonly origin: string | undefined
  }
}

/** Lists rows for which all that is named is true. */
export interface AuditFilter {
  readonly action?: string
  readonly operation?: string
  readonly resource?: string
  /** Null stands for the service. */
  readonly principal?: string | null
  /** Inclusive. */
  readonly since?: Date
  /** Exclusive. */
  readonly until?: Date
}

export interface AuditTrail {
  /**
   * Newest first. `retention.auditDays` says how long rows are kept. The service and the role `admin` read the whole
   * app's rows, other principals only their own (`audit.read`).
   */
  list(filter?: AuditFilter & PageOptions): Promise<Page<AuditEntry>>
}

/** Postgres and ISO texts agree on these times. */
const time = dateSchema(z.date().min(new Date('0001-01-01T00:00:00Z')).max(new Date('9999-12-31T23:59:59Z')))
const name = nameSchema('options.invalid')

const listSchema = z.strictObject({
  action: name.exactOptional(),
  operation: name.exactOptional(),
  resource: name.exactOptional(),
  principal: name.nullable().exactOptional(),
  since: time.exactOptional(),
  until: time.exactOptional(),
  ...pageSchema,
})

export class AuditStore implements AuditTrail {
  readonly #sql: Sql
  readonly #on: Queryable
  readonly #scope: CallScope
  readonly #access: Access

  constructor(sql: Sql, on: Queryable, scope: CallScope, access: Access) {
    this.#sql = sql
    this.#on = on
    this.#scope = scope
    this.#access = access
  }

  async list(filter: AuditFilter & PageOptions = {}): Promise<Page<AuditEntry>> {
    const given = parseWith(listSchema, filter, { code: 'options.invalid', what: 'audit.list' })
    const restriction = [
      given.action ?? null,
      given.operation ?? null,
      given.resource ?? null,
      given.principal ?? null,
      given.principal === null,
      given.since === undefined ? null : isoText(given.since),
      given.until === undefined ? null : isoText(given.until),
    ] as const
    const listing = ['audit', this.#scope.app, ...restriction.map(String)]
    const limit = pageLimit(given.limit)
    const before = decodeCursor(listing, given.cursor, (position) => assertRowId(position, 'an id of the audit'))
    const question = { action: 'audit.read', resource: { filter } } as const
    const alone = await this.#access.reach(this.#scope, this.#on, question)
    const parameters = [this.#scope.app, ...restriction, alone ?? null, before ?? null, limit + 1] as const
    const rows = await this.#sql.run(this.#on, listAudit, [...parameters])
    const { items, ...rest } = toPage(rows, limit, (last) => encodeCursor(listing, last.id))
    return { ...rest, items: items.map(toEntry) }
  }
}

function toEntry(row: AuditRow): AuditEntry {
  const { id, at, action, operation, before, after, application, login } = row
  return {
    id,
    at,
    action,
    operation,
    resource: row.resource ?? undefined,
    principal: row.principal ?? undefined,
    caller: row.caller ?? undefined,
    boundBy: row.bound_by,
    before,
    after,
    from: {
      host: row.host ?? undefined,
      pid: row.pid ?? undefined,
      application,
      login,
      origin: row.origin ?? undefined,
    },
  }
}
