import { ALL_TRIGGERS, isPaused } from '../pause/pauses.ts'

export interface TriggerRow {
  readonly id: string
  readonly app_id: string
  readonly name: string
  readonly source: string
  readonly filter: unknown
  /** `triggers/stored.ts` reads it, and `retry`. */
  readonly target: unknown
  readonly retry: unknown
  readonly priority: number
  readonly timeout_ms: number
  readonly ordered: boolean
  readonly transactional: boolean
  readonly concurrency: number | null
  readonly rate_limit: number | null
  readonly registrant: string | null
  readonly run_as: string
  readonly enabled: boolean
  /** The trigger itself, whatever its app is. */
  readonly paused: boolean
  readonly app_paused: boolean
  /** Its rows are set aside, for whatever reason. */
  readonly parked: boolean
  readonly created_at: Date
  readonly updated_at: Date
}

/** Copies the limits of `written` to the table where they are counted. */
export const LIMITS_WRITTEN = `limits as (
  insert into {schema}.trigger_limits as l (trigger_id, app_id, concurrency, rate_limit)
  select id, app_id, concurrency, rate_limit from written
  where concurrency is not null or rate_limit is not null
    or exists (select from {schema}.trigger_limits before where before.trigger_id = written.id)
  on conflict (trigger_id) do update set concurrency = excluded.concurrency, rate_limit = excluded.rate_limit
)`

export function pausedColumn(of: string): string {
  const pausedIs = (id: string) =>
    `exists (select from {schema}.pauses p where p.app_id = ${of}.app_id and p.trigger_id = ${id} and p.paused)`
  return `${pausedIs(`${of}.id`)} as paused, ${pausedIs(`'${ALL_TRIGGERS}'`)} as app_paused,
  ${isPaused(`${of}.app_id`, `${of}.id`)} as parked`
}

export const TRIGGER_COLUMNS =
  'id, app_id, name, source, filter, target, retry, priority, timeout_ms, ordered, transactional, concurrency, rate_limit, registrant, run_as, enabled, created_at, updated_at'
