import type { JsonValue } from '@outbus/core/plugin'

/** What is calculated of a schedule. */
export interface RecurrenceRow {
  readonly id: string
  readonly app_id: string
  readonly recurrence: string
  readonly timezone: string
  readonly missed: 'skip' | 'once'
  readonly enabled: boolean
}

export interface ScheduleRow extends RecurrenceRow {
  readonly name: string
  readonly data: JsonValue
  /** The problem of what was last handed over. Null once the schedule was set again. */
  readonly problem: string | null
  readonly created_at: Date
  readonly updated_at: Date
  /** Who set it; null for the service, empty where an older process did. */
  readonly caller: string | null
  /** Whose it is; null for the service's. */
  readonly owner: string | null
}

export const SCHEDULE_COLUMNS = `id, app_id, name, recurrence, timezone, missed, data, enabled, created_at, updated_at, owner,
  case when caller_revision = revision then caller else '' end as caller,
  case when not changed then problem end as problem`
