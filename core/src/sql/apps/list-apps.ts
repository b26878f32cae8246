import { createHash } from 'node:crypto'
import { ALL_TRIGGERS } from '../pause/pauses.ts'
import type { Statement } from '../../contract/statement.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Apps.list. Names apps with a row in one of `relations`, each of which has an index by app. Each name costs
 * one probe of each index, however many rows there are.
 */
export function listAppNames(
  relations: readonly string[],
): Statement<[after: string, limit: number], { app_id: string }> {
  const next = (after: string) =>
    `select min(next) as app_id from (${relations
      .map(
        (relation) =>
          `(select app_id as next from {schema}.${relation} where app_id > ${after} order by app_id limit 1)`,
      )
      .join(' union all ')}) as found`
  const hash = createHash('sha256').update(relations.join()).digest('hex').slice(0, 16)
  return statement(
    `list_app_names_${hash}`,
    `with recursive apps (app_id, place) as (
  select app_id, 1 from (${next('$1::text')}) as first
  union all
  select (${next('apps.app_id')}), apps.place + 1 from apps where apps.app_id is not null and apps.place < $2::integer
)
select app_id from apps where app_id is not null order by app_id`,
  )
}

export interface AppSummaryRow {
  readonly app_id: string
  readonly triggers: number
  readonly waiting: number
  readonly dead_letters: number
  readonly paused: boolean
  readonly paused_triggers: number
  readonly quotas: Readonly<Record<string, unknown>> | null
}

/** Caller: Apps.list, for one page. The outbox has no index by app, so it is read once. */
export const summarizeApps = statement<[appIds: readonly string[]], AppSummaryRow>(
  'summarize_apps',
  `with waiting as (
  select app_id, count(*)::float8 as n from {schema}.outbox where app_id = any ($1::text[]) group by app_id
)
select a.app_id,
  (select count(*)::float8 from {schema}.triggers t where t.app_id = a.app_id) as triggers,
  coalesce(w.n, 0) as waiting,
  (select count(*)::float8 from {schema}.dead_letters d where d.app_id = a.app_id and d.resolution is null) as dead_letters,
  exists (select from {schema}.pauses p where p.app_id = a.app_id and p.trigger_id = '${ALL_TRIGGERS}' and p.paused) as paused,
  (select count(*)::float8 from {schema}.pauses p where p.app_id = a.app_id and p.trigger_id <> '${ALL_TRIGGERS}' and p.paused) as paused_triggers,
  (select to_jsonb(q) from {schema}.app_quotas q where q.app_id = a.app_id) as quotas
from unnest($1::text[]) as a (app_id) left join waiting w on w.app_id = a.app_id
order by a.app_id`,
)
