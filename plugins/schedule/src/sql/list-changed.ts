import { statement } from '@outbus/core'
import type { ScheduleRow } from './schedule-row.ts'
import { SCHEDULE_COLUMNS } from './schedule-row.ts'

export interface ChangedRow extends ScheduleRow {
  /** Not handed to pg-boss yet, by the table's own word. */
  readonly changed: boolean
  readonly deleted: boolean
  readonly revision: string
  /** By the database's clock. */
  readonly now: Date
}

export const CHANGED_COLUMNS = `${SCHEDULE_COLUMNS}, changed, deleted, revision, clock_timestamp() as now`

/** Caller: Clockwork: what pg-boss does not know yet, and what it is to be told anew, of all apps. */
export const listChanged = statement<[limit: number], ChangedRow>(
  'schedule_list_changed',
  `(select ${CHANGED_COLUMNS} from {schema}.schedules where changed order by id limit $1)
union all
(select ${CHANGED_COLUMNS} from {schema}.schedules
where enabled and not deleted and not changed and look_again_at <= now() order by look_again_at limit $1)`,
)
