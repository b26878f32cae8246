import { statement } from '../../postgres/statement.ts'

export interface PrincipalRow {
  readonly app_id: string
  readonly id: string
  readonly roles: readonly string[]
  readonly disabled: boolean
  readonly removed: boolean
}

/**
 * Callers: AdminPrincipalResolver, once for all principals of a batch, and PrincipalStore. Whoever is not in the answer
 * was never known.
 */
export const resolvePrincipals = statement<[appIds: readonly string[], ids: readonly string[]], PrincipalRow>(
  'resolve_principals',
  `select p.app_id, p.id, p.roles, p.disabled, p.removed_at is not null as removed
from unnest($1::text[], $2::text[]) as asked (app_id, id)
join {schema}.principals p on p.app_id = asked.app_id and p.id = asked.id`,
)

/** Caller: PrincipalStore, before it changes one. Nobody else changes it until the transaction ends. */
export const lockPrincipal = statement<[appId: string, id: string], PrincipalRow>(
  'lock_principal',
  `select p.app_id, p.id, p.roles, p.disabled, p.removed_at is not null as removed
from {schema}.principals p where p.app_id = $1 and p.id = $2 for update`,
)
