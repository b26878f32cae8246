import { QUOTA_COLUMNS } from '../../contract/quotas.ts'
import { statement } from '../../postgres/statement.ts'

export interface AppQuotasRow {
  /** The row of `app_quotas`. Null: there is none. */
  readonly quotas: Readonly<Record<string, unknown>> | null
}

const COLUMNS = QUOTA_COLUMNS.map(({ column }) => column)
const GIVEN = QUOTA_COLUMNS.map(({ column, type }) => `($2::jsonb ->> '${column}'::text)::${type}`)

/** Caller: Apps.setQuotas. Columns that the patch does not name stay. The database moves the app's epoch on. */
export const putQuotas = statement<[appId: string, patch: string], AppQuotasRow>(
  'put_quotas',
  `insert into {schema}.app_quotas as q (app_id, ${COLUMNS.join(', ')})
values ($1, ${GIVEN.join(', ')})
on conflict (app_id) do update set updated_at = clock_timestamp(),
  ${COLUMNS.map((column) => `${column} = case when $2::jsonb ? '${column}'::text then excluded.${column} else q.${column} end`).join(',\n  ')}
returning to_jsonb(q) as quotas`,
)

/** Caller: SourceContext.quotas, for plugins that count what is theirs. */
export const readQuotas = statement<[appId: string], AppQuotasRow>(
  'read_quotas',
  `select (select to_jsonb(q) from {schema}.app_quotas q where q.app_id = $1) as quotas`,
)

/** Caller: Apps.quotas. Reads the outbox once. */
export const readQuotasAndUse = statement<
  [appId: string],
  AppQuotasRow & { readonly triggers: number; readonly waiting: number }
>(
  'read_quotas_and_use',
  `select (select to_jsonb(q) from {schema}.app_quotas q where q.app_id = $1) as quotas,
  (select count(*)::float8 from {schema}.triggers where app_id = $1) as triggers,
  (select count(*)::float8 from {schema}.outbox where app_id = $1) as waiting`,
)

/** Caller: Apps.setQuotas, before it writes them. Nobody changes them until the transaction ends. */
export const lockQuotas = statement<[appId: string], AppQuotasRow>(
  'lock_quotas',
  `select to_jsonb(q) as quotas from {schema}.app_quotas q where q.app_id = $1 for update`,
)
