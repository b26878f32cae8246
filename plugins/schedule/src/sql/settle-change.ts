import { statement } from '@outbus/core/plugin'

/**
 * Caller: Clockwork, once pg-boss knows: unless it was changed again meanwhile. A deleted one is gone with that. `lookAgainAt` null:
 * never. `problem`: why pg-boss was not told of it.
 */
export const settleChange = statement<
  [id: string, revision: string, lookAgainAt: string | null, problem: string | null],
  never
>(
  'schedule_settle_change',
  `with gone as (
  delete from {schema}.schedules where id = $1::uuid and deleted
)
update {schema}.schedules set changed = false, look_again_at = coalesce($3::timestamptz, 'infinity'), problem = $4
where id = $1::uuid and not deleted and revision = $2::bigint`,
)
