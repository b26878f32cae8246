/**
 * All administrative writes reach the database here. The work answers with what it changed, and its transaction writes
 * the audit:
 *
 *   begin (or the caller's transaction) ──▶ work ──▶ one row for each change ──▶ commit
 */
import { hostname } from 'node:os'
import type { CallScope } from '../contract/scope.ts'
import type { Action } from '../contract/actions.ts'
import { writeAudit } from '../sql/audit/write-audit.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { boundedJson } from './bounded.ts'

/** Actions that take the rights of the tables' owner, so that no `Authorizer` is asked. */
export type OwnersAction = 'quota.change' | 'role.grant' | 'role.row_security'

export interface Change {
  /** What the authorizer was asked about. A source's verbs are `<source>.<verb>`. */
  readonly action: Action | OwnersAction | (string & {})
  /** The call, such as `triggers.disable`. */
  readonly operation: string
  /** The id of what was changed. Default: more than one thing. */
  readonly resource?: string | undefined
  /** The state before; undefined if there was none. If it equals `after`, nothing is written. Never a payload. */
  readonly before?: unknown
  readonly after?: unknown
}

export interface Changed<T> {
  readonly result: T
  readonly changes: readonly Change[]
}

/** Runs `work` in the caller's transaction, or in one of the bus's own. */
export type InTransaction = <T>(work: (sql: Sql, on: Queryable) => Promise<T>) => Promise<T>

/** As {@link InTransaction}, and writes the changes to the audit. */
export type MakeChange = <T>(work: (sql: Sql, on: Queryable) => Promise<Changed<T>>) => Promise<T>

/** What the audit keeps of a call context. */
export type Changer = Pick<CallScope, 'app' | 'principal' | 'caller' | 'boundBy' | 'origin'>

const HOST = hostname().slice(0, 255)

export function changesOf(changer: Changer, inTransaction: InTransaction): MakeChange {
  return (work) =>
    inTransaction(async (sql, on) => {
      const { result, changes } = await work(sql, on)
      await audit(sql, on, changer, changes)
      return result
    })
}

/** Writes the changes' rows in the transaction that has just made them. */
export async function audit(sql: Sql, on: Queryable, changer: Changer, changes: readonly Change[]): Promise<void> {
  const written = changes
    .filter(({ before, after }) => JSON.stringify(before) !== JSON.stringify(after))
    .map(({ action, operation, resource, before, after }) => ({
      action,
      operation,
      resource: resource ?? null,
      before: boundedJson(before),
      after: boundedJson(after),
    }))
  if (written.length === 0) return
  const { app, principal, caller, boundBy = [], origin } = changer
  await sql.run(on, writeAudit, [
    app,
    principal?.id ?? null,
    caller?.id ?? null,
    boundBy.map(({ id }) => id),
    HOST,
    process.pid,
    origin ?? null,
    JSON.stringify(written),
  ])
}
