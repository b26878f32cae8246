import type { JsonValue } from '@outbus/core'

export interface ScheduleRow {
  readonly id: string
  readonly app_id: string
  readonly name: string
  readonly recurrence: string
  readonly timezone: string
  readonly missed: 'skip' | 'once'
  readonly data: JsonValue
  readonly enabled: boolean
  readonly created_at: Date
  readonly updated_at: Date
  /** Who set it; null for the service. */
  readonly caller: string | null
}

export const SCHEDULE_COLUMNS =
  'id, app_id, name, recurrence, timezone, missed, data, enabled, created_at, updated_at, caller'
