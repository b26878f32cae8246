export interface TriggerRow {
  readonly id: string
  readonly app_id: string
  readonly name: string
  readonly source: string
  readonly filter: unknown
  readonly target: { type: string } & Record<string, unknown>
  readonly retry: unknown
  readonly priority: number
  readonly timeout_ms: number
  readonly ordered: boolean
  readonly registrant: string | null
  readonly enabled: boolean
  readonly created_at: Date
  readonly updated_at: Date
}

export const TRIGGER_COLUMNS =
  'id, app_id, name, source, filter, target, retry, priority, timeout_ms, ordered, registrant, enabled, created_at, updated_at'
