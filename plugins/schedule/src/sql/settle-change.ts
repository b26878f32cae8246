import { statement } from '@outbus/core'

/** Caller: Clockwork, once pg-boss knows: unless it was changed again meanwhile. A deleted one is gone with that. */
export const settleChange = statement<[id: string, revision: string], never>(
  'schedule_settle_change',
  `with gone as (
  delete from {schema}.schedules where id = $1::uuid and deleted
)
update {schema}.schedules set changed = false
where id = $1::uuid and not deleted and revision = $2::bigint`,
)
