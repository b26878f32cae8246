import type { PrincipalRow } from './resolve-principals.ts'
import { statement } from './statement.ts'

/** Caller: PrincipalStore.put. A null leaves what is there; of a new one it means none, and not disabled. */
export const putPrincipal = statement<
  [appId: string, id: string, roles: readonly string[] | null, disabled: boolean | null],
  PrincipalRow
>(
  'put_principal',
  `insert into {schema}.principals as p (app_id, id, roles, disabled)
values ($1, $2, coalesce($3::text[], '{}'), coalesce($4::boolean, false))
on conflict (app_id, id) do update
set roles = coalesce($3::text[], p.roles), disabled = coalesce($4::boolean, p.disabled), updated_at = clock_timestamp()
returning p.app_id, p.id, p.roles, p.disabled`,
)
