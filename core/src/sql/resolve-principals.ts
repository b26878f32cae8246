import { statement } from './statement.ts'

export interface PrincipalRow {
  readonly app_id: string
  readonly id: string
  readonly roles: readonly string[]
  readonly disabled: boolean
}

/** Caller: AdminPrincipalResolver, once for all principals of a batch. Who is not in the answer is not known. */
export const resolvePrincipals = statement<[appIds: readonly string[], ids: readonly string[]], PrincipalRow>(
  'resolve_principals',
  `select p.app_id, p.id, p.roles, p.disabled
from unnest($1::text[], $2::text[]) as asked (app_id, id)
join {schema}.principals p on p.app_id = asked.app_id and p.id = asked.id`,
)
