import { statement } from './statement.ts'

/** Caller: PrincipalStore.remove. */
export const removePrincipal = statement<[appId: string, id: string], { id: string }>(
  'remove_principal',
  `delete from {schema}.principals where app_id = $1 and id = $2 returning id`,
)
