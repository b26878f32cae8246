import { statement } from '@outbus/core/plugin'
import type { ScheduleRow } from './schedule-row.ts'
import { SCHEDULE_COLUMNS } from './schedule-row.ts'

/** Caller: Clockwork, when pg-boss says that it is time. */
export const findDue = statement<[id: string], ScheduleRow>(
  'schedule_find_due',
  `select ${SCHEDULE_COLUMNS} from {schema}.schedules where id = $1::uuid and enabled and not deleted`,
)
