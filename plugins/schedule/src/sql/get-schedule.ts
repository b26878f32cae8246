import { statement } from '@outbus/core/plugin'
import type { ScheduleRow } from './schedule-row.ts'
import { SCHEDULE_COLUMNS } from './schedule-row.ts'

/** Caller: schedule.get. */
export const getSchedule = statement<[appId: string, name: string], ScheduleRow>(
  'schedule_get',
  `select ${SCHEDULE_COLUMNS} from {schema}.schedules where app_id = $1 and name = $2 and not deleted`,
)
