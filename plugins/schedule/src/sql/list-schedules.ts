import { statement } from '@outbus/core/plugin'
import type { ScheduleRow } from './schedule-row.ts'
import { SCHEDULE_COLUMNS } from './schedule-row.ts'

/** Caller: schedule.list. By name, ascending. */
export const listSchedules = statement<
  [
    appId: string,
    after: string | null,
    limit: number,
    /** Only its own. Null: everybody's. */
    owner: string | null,
  ],
  ScheduleRow
>(
  'schedule_list',
  `select ${SCHEDULE_COLUMNS} from {schema}.schedules
where app_id = $1 and not deleted and ($2::text is null or name > $2) and ($4::text is null or owner = $4)
order by name
limit $3`,
)
