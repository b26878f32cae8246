import { statement } from '@outbus/core'
import type { ChangedRow } from './list-changed.ts'
import { SCHEDULE_COLUMNS } from './schedule-row.ts'

export interface KeptRow extends ChangedRow {
  /** Not handed to pg-boss yet, by the table's own word. */
  readonly changed: boolean
}

/** Caller: Clockwork, to compare with what pg-boss has. By id. */
export const listSchedulesOfAllApps = statement<[after: string | null, limit: number], KeptRow>(
  'schedule_list_of_all_apps',
  `select ${SCHEDULE_COLUMNS}, deleted, revision, changed from {schema}.schedules
where $1::uuid is null or id > $1::uuid
order by id limit $2`,
)
