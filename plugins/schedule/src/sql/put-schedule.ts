import { statement } from '@outbus/core'
import type { ScheduleRow } from './schedule-row.ts'
import { SCHEDULE_COLUMNS } from './schedule-row.ts'

/** Caller: schedule.set. */
export const putSchedule = statement<
  [
    id: string,
    appId: string,
    name: string,
    recurrence: string,
    timezone: string,
    missed: string,
    data: string,
    enabled: boolean,
    caller: string | null,
  ],
  ScheduleRow
>(
  'schedule_put',
  `insert into {schema}.schedules (id, app_id, name, recurrence, timezone, missed, data, enabled, caller)
values ($1::uuid, $2, $3, $4, $5, $6, $7::json, $8, $9)
on conflict (app_id, name) where not deleted do update
set recurrence = excluded.recurrence, timezone = excluded.timezone, missed = excluded.missed, data = excluded.data,
  enabled = excluded.enabled, caller = excluded.caller, updated_at = clock_timestamp(), revision = schedules.revision + 1, changed = true,
  look_again_at = '-infinity'
returning ${SCHEDULE_COLUMNS}`,
)
