import type { PrincipalRow } from './resolve-principals.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * Caller: PrincipalStore.put. A null keeps what is there; a new principal then has no roles and is not disabled. A
 * removed one comes back as new if `revives`; otherwise there is no row.
 */
export const putPrincipal = statement<
  [appId: string, id: string, roles: readonly string[] | null, disabled: boolean | null, revives: boolean],
  PrincipalRow
>(
  'put_principal',
  `insert into {schema}.principals as p (app_id, id, roles, disabled)
values ($1, $2, coalesce($3::text[], '{}'), coalesce($4::boolean, false))
on conflict (app_id, id) do update
set roles = coalesce($3::text[], p.roles),
  disabled = coalesce($4::boolean, p.disabled and p.removed_at is null),
  removed_at = null, updated_at = clock_timestamp()
where p.removed_at is null or $5
returning p.app_id, p.id, p.roles, p.disabled, false as removed`,
)
