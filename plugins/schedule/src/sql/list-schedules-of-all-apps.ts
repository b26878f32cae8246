import { statement } from '@outbus/core/plugin'
import type { ChangedRow } from './list-changed.ts'
import { CHANGED_COLUMNS } from './list-changed.ts'

export interface KeptRow extends ChangedRow {
  /** A time in ms since 1970, or infinite. */
  readonly look_again_ms: number
  /** Set aside, and not to be looked at yet. */
  readonly rests: boolean
}

/** Caller: Clockwork, to compare with what pg-boss has. By id. */
export const listSchedulesOfAllApps = statement<[after: string | null, limit: number], KeptRow>(
  'schedule_list_of_all_apps',
  `select ${CHANGED_COLUMNS}, date_part('epoch', look_again_at) * 1000::double precision as look_again_ms,
  problem is not null and look_again_at > now() and isfinite(look_again_at) as rests
from {schema}.schedules
where $1::uuid is null or id > $1::uuid
order by id limit $2`,
)
