import { statement } from '@outbus/core'
import type { ScheduleRow } from './schedule-row.ts'
import { SCHEDULE_COLUMNS } from './schedule-row.ts'

export interface ChangedRow extends ScheduleRow {
  readonly deleted: boolean
  readonly revision: string
}

/** Caller: Clockwork: what pg-boss does not know yet, of all apps. */
export const listChanged = statement<[limit: number], ChangedRow>(
  'schedule_list_changed',
  `select ${SCHEDULE_COLUMNS}, deleted, revision from {schema}.schedules where changed order by id limit $1`,
)
