/** Resolves who a principal is now, when something runs in its name and when it acts. */
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { registerPrincipal } from '../sql/principals/register-principal.ts'
import type { PrincipalRow } from '../sql/principals/resolve-principals.ts'
import { resolvePrincipals } from '../sql/principals/resolve-principals.ts'
import type { ResolvedPrincipal } from '../contract/principal.ts'

export interface PrincipalKey {
  readonly app: string
  readonly id: string
}

export interface PrincipalResolver {
  /**
   * Answers by position; undefined for whoever is not there (any more). May do I/O. Called with each principal once:
   *
   * - for each batch of deliveries that run in somebody's name. If the resolver rejects, or takes longer than
   *   `dispatch.principalTimeoutMs`, those deliveries fail as `unavailable`.
   * - for each change of a principal, before it and in its transaction `on`, and for each listing. If the resolver
   *   rejects, the call is refused.
   * - for emits and verbs of sources, about once a second for a principal, but each time in a transaction or with
   *   `cx.as`.
   */
  resolve(args: {
    readonly principals: readonly PrincipalKey[]
    readonly on: Queryable
  }): Promise<readonly (ResolvedPrincipal | undefined)[]>
  /**
   * A principal registers a trigger, as it may, in the transaction `on`. Never called for a removed one. Default: it
   * must be there already.
   */
  register?(args: { readonly principal: PrincipalKey; readonly on: Queryable }): Promise<void>
}

export function toPrincipal(row: PrincipalRow | undefined): ResolvedPrincipal | undefined {
  if (row === undefined) return undefined
  const { id, roles, disabled, removed } = row
  return removed ? { id, roles, disabled, removed } : { id, roles, disabled }
}

/** The default: principals with roles and a disabled flag in the bus's schema, administered by `cx.principals`. */
export class AdminPrincipalResolver implements PrincipalResolver {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  async resolve({ principals, on }: Parameters<PrincipalResolver['resolve']>[0]) {
    const rows = await this.#sql.run(on, resolvePrincipals, [
      principals.map(({ app }) => app),
      principals.map(({ id }) => id),
    ])
    return principals.map(({ app, id }) => toPrincipal(rows.find((row) => row.app_id === app && row.id === id)))
  }

  async register({ principal, on }: { readonly principal: PrincipalKey; readonly on: Queryable }): Promise<void> {
    await this.#sql.run(on, registerPrincipal, [principal.app, principal.id])
  }
}
