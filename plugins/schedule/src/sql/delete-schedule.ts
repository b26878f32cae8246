import { statement } from '@outbus/core'

/** Caller: schedule.delete. */
export const deleteSchedule = statement<[appId: string, name: string], { id: string }>(
  'schedule_delete',
  `update {schema}.schedules set deleted = true, changed = true, revision = revision + 1, updated_at = clock_timestamp()
where app_id = $1 and name = $2 and not deleted
returning id`,
)
