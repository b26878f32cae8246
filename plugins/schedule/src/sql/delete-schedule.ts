import { statement } from '@outbus/core/plugin'

/** Caller: schedule.delete. */
export const deleteSchedule = statement<
  [appId: string, name: string, ownedBy: string | null, ofAnybody: boolean],
  { id: string }
>(
  'schedule_delete',
  `update {schema}.schedules set deleted = true, changed = true, revision = revision + 1, updated_at = clock_timestamp()
where app_id = $1 and name = $2 and not deleted and ($4 or owner is not distinct from $3)
returning id`,
)
