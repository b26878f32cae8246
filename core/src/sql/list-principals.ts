import type { PrincipalRow } from './resolve-principals.ts'
import { statement } from './statement.ts'

/** Caller: PrincipalStore.list. By id. */
export const listPrincipals = statement<[appId: string, after: string | null, limit: number], PrincipalRow>(
  'list_principals',
  `select app_id, id, roles, disabled from {schema}.principals
where app_id = $1 and ($2::text is null or id > $2)
order by id limit $3`,
)
