import { statement } from './statement.ts'

export interface PrincipalRow {
  readonly app_id: string
  readonly id: string
  readonly roles: readonly string[]
  readonly disabled: boolean
  readonly removed: boolean
}

/** Callers: AdminPrincipalResolver, once for all principals of a batch, and PrincipalStore. Who is not in the answer was never known. */
export const resolvePrincipals = statement<[appIds: readonly string[], ids: readonly string[]], PrincipalRow>(
  'resolve_principals',
  `select p.app_id, p.id, p.roles, p.disabled, p.removed_at is not null as removed
from unnest($1::text[], $2::text[]) as asked (app_id, id)
join {schema}.principals p on p.app_id = asked.app_id and p.id = asked.id`,
)
