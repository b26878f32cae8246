import { statement } from '@outbus/core/plugin'
import type { RecurrenceRow } from './schedule-row.ts'

export interface ChangedRow extends RecurrenceRow {
  /** Says whether the table has it as not handed to pg-boss yet. */
  readonly changed: boolean
  readonly deleted: boolean
  readonly revision: string
  /** It could not be carried out the last time. */
  readonly set_aside: boolean
  /** The clock of the database says it. */
  readonly now: Date
}

/** Without their data, which may be large: rows of all apps are read at once. What is too long is cut, and then cannot be read. */
export const CHANGED_COLUMNS = `id, app_id, left(recurrence, 2001) as recurrence, left(timezone, 1001) as timezone, missed, enabled,
  changed, deleted, revision, problem is not null as set_aside, clock_timestamp() as now`

/**
 * Caller: Clockwork: what pg-boss does not know yet, and what it is to be told anew, of all apps. Apps take turns: an emitter chooses
 * ids and times by SQL, and one app's ten thousand would else be the first for ever.
 */
export const listChanged = statement<[limit: number], ChangedRow>(
  'schedule_list_changed',
  `select ${CHANGED_COLUMNS} from (
  select *, row_number() over (partition by app_id order by id) as turn from {schema}.schedules where changed
  union all
  select *, row_number() over (partition by app_id order by look_again_at) from {schema}.schedules
  where enabled and not deleted and not changed and look_again_at <= now()
) as due
order by turn, id limit $1`,
)
