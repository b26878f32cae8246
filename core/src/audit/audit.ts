/** Who changed what, per app. Written by the auditor; only read here. */
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
  /** The clock of the database says it. */
  readonly at: Date
  /** What the `Authorizer` was asked about, such as `trigger.update`. */
  readonly action: string
  /** The call, such as `triggers.disable`. */
  readonly operation: string
  /** The id of the trigger, the principal, the delivery, the dead letter. Undefined: several, or the app itself. */
  readonly resource: string | undefined
  /** Whose rights it was done with; undefined for the service. */
  readonly principal: string | undefined
  /** Who emitted what the handler handled that did it; else as `principal`. Undefined: the service. */
  readonly caller: string | undefined
  /** Whose rights were asked for as well, where a context acted for somebody (`cx.as`). */
  readonly boundBy: readonly string[]
  /**
   * How it was, and how it is then: settings, counts and selections, never a payload. Null: there was, or there is, nothing. What is
   * large is `{ cutBytes }`.
   */
  readonly before: JsonValue
  readonly after: JsonValue
  readonly from: {
    readonly host: string | undefined
    readonly pid: number | undefined
    /** `application_name` of the database session, and the role that it logged in as. */
    readonly application: string
    readonly login: string
    /** As the context said (`bus.context({ origin })`), or the delivery whose handler made the change. */
    readonly origin: string | undefined
  }
}

/** A row is listed if everything that is named is true of it. */
export interface AuditFilter {
  readonly action?: string
  readonly operation?: string
  readonly resource?: string
  /** Null stands for the service. */
  readonly principal?: string | null
  /** Rows of this time are listed. */
  readonly since?: Date
  /** Rows of this time are not listed. */
  readonly until?: Date
}

export interface AuditTrail {
  /**
   * Newest first; how long rows are kept `retention.auditDays` says. The service and whoever has the role `admin` read the rows of the
   * whole app, another principal those of what it did itself (`audit.read`).
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
