import { statement } from '../../postgres/statement.ts'

/**
 * Caller: PrincipalStore.remove. The row stays, so that no trigger makes the principal known again. No row in the
 * answer: the principal was not there.
 */
export const removePrincipal = statement<[appId: string, id: string], { id: string }>(
  'remove_principal',
  `update {schema}.principals set removed_at = clock_timestamp(), updated_at = clock_timestamp(), disabled = true, roles = '{}'
where app_id = $1 and id = $2 and removed_at is null
returning id`,
)
