import { statement } from '../../postgres/statement.ts'

export interface LoadedTriggerRow {
  /** The `content_id` of the app's epoch. */
  readonly epoch: string
  /** Null in the one row of an app without enabled triggers. */
  readonly id: string | null
  readonly name: string
  readonly source: string
  readonly filter: unknown
  readonly target: { type: string } & Record<string, unknown>
  readonly retry: unknown
  readonly priority: number
  readonly timeout_ms: number
  readonly ordered: boolean
  readonly transactional: boolean
  readonly concurrency: number | null
  readonly rate_limit: number | null
  readonly registrant: string | null
  readonly run_as: string
  /** The keys that its source gave when the filter was written. Null: not known. */
  readonly keys?: unknown
  /** The row of `app_quotas`. Null: the app has the defaults. */
  readonly quotas?: Readonly<Record<string, unknown>> | null
}

/** Of a row `t` of triggers. */
export const LOADED_TRIGGER_COLUMNS =
  't.id, t.name, t.source, t.filter, t.target, t.retry, t.priority, t.timeout_ms, t.ordered, t.transactional, t.concurrency, t.rate_limit, t.registrant, t.run_as, t.keys'

/** The quotas of the app $1, which Postgres reads once a statement. */
export const QUOTAS_OF_APP = '(select to_jsonb(q) from {schema}.app_quotas q where q.app_id = $1) as quotas'

/**
 * Caller: IndexCache. One statement is one snapshot: the epoch and its triggers. No row: the app never had a trigger,
 * which is epoch 0.
 */
export const loadTriggers = statement<[appId: string], LoadedTriggerRow>(
  'load_triggers',
  `select e.content_id as epoch, ${LOADED_TRIGGER_COLUMNS}, ${QUOTAS_OF_APP}
from {schema}.trigger_epochs e
left join {schema}.triggers t on t.app_id = e.app_id and t.enabled
where e.app_id = $1`,
)
