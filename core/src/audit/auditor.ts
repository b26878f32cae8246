/**
 * The one way by which administrative writes reach the database. Whoever changes something hands over the work, which answers with what
 * it changed; the rows of the audit are written in the transaction of that work:
 *
 *   begin (or the caller's transaction) ──▶ work ──▶ one row for each change ──▶ commit
 *
 * So either both are there or neither. Emits, requests and what dispatchers do are no changes of this kind and do not come here.
 */
import { hostname } from 'node:os'
import type { CallScope } from '../contract/scope.ts'
import type { Action } from '../contract/actions.ts'
import { writeAudit } from '../sql/audit/write-audit.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { boundedJson } from './bounded.ts'

/** What is done and no `Authorizer` is asked about: it takes the rights of the tables' owner. */
export type OwnersAction = 'quota.change' | 'role.grant' | 'role.row_security'

export interface Change {
  /** What the authorizer was asked about. A source's own verbs are `<source>.<verb>`. */
  readonly action: Action | OwnersAction | (string & {})
  /** The call, such as `triggers.disable`. */
  readonly operation: string
  /** The id of what was changed. Default: more than one thing. */
  readonly resource?: string | undefined
  /** How it was; undefined where it was not there. Where it equals `after` nothing changed, and nothing is written. Never a payload. */
  readonly before?: unknown
  readonly after?: unknown
}

export interface Changed<T> {
  readonly result: T
  readonly changes: readonly Change[]
}

/** Runs `work` in the caller's transaction, or in one of the bus's own. */
export type InTransaction = <T>(work: (sql: Sql, on: Queryable) => Promise<T>) => Promise<T>

/** Runs `work` as {@link InTransaction} does, and writes down what it says that it changed. */
export type MakeChange = <T>(work: (sql: Sql, on: Queryable) => Promise<Changed<T>>) => Promise<T>

/** Whose change it is: all of a call context that the audit keeps. */
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

/** Writes the rows of changes in the transaction that has just made them. */
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
