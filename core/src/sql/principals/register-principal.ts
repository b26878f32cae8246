import { statement } from '../../postgres/statement.ts'

/** Caller: AdminPrincipalResolver.register, before a trigger is written in the principal's name. */
export const registerPrincipal = statement<[appId: string, id: string], never>(
  'register_principal',
  `insert into {schema}.principals (app_id, id) values ($1, $2) on conflict (app_id, id) do nothing`,
)
