import type { PrincipalRow } from './resolve-principals.ts'
import { statement } from '../../postgres/statement.ts'

/** Caller: PrincipalStore.list. By id. */
export const listPrincipals = statement<
  [
    appId: string,
    after: string | null,
    limit: number,
    /** Only this one. Null: everybody. */
    alone: string | null,
  ],
  PrincipalRow
>(
  'list_principals',
  `select app_id, id, roles, disabled, false as removed from {schema}.principals
where app_id = $1 and removed_at is null and ($2::text is null or id > $2) and ($4::text is null or id = $4)
order by id limit $3`,
)
