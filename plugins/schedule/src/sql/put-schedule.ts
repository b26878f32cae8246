import { statement } from '@outbus/core/plugin'
import type { ScheduleRow } from './schedule-row.ts'
import { SCHEDULE_COLUMNS } from './schedule-row.ts'

/**
 * Caller: schedule.set. A new schedule is counted under the lock of its app, by functions, which see what was committed until then. Nothing
 * is written where the app has as many as it may; a change of one that is there always is.
 */
export const putSchedule = statement<
  [
    id: string,
    appId: string,
    name: string,
    recurrence: string,
    timezone: string,
    missed: string,
    data: string,
    enabled: boolean,
    caller: string | null,
    most: number,
    /** The owner of a new schedule. */
    owner: string | null,
    /** Whose it is, where it is there. Another one's is not written, and there is no row. */
    ownedBy: string | null,
    /** Whoever owns it. */
    ofAnybody: boolean,
  ],
  Omit<ScheduleRow, 'id'> & { readonly id: string | null; readonly over_quota: boolean }
>(
  'schedule_put',
  `with held as (
  insert into {schema}.schedule_apps as a (app_id) values ($2) on conflict (app_id) do update set taken_at = clock_timestamp()
  returning app_id
), counted as materialized (
  select app_id, {schema}.count_schedules(app_id, $10::bigint) >= $10::bigint and not {schema}.has_schedule(app_id, $3) as over_quota
  from held
), written as (
insert into {schema}.schedules (id, app_id, name, recurrence, timezone, missed, data, enabled, caller, caller_revision, owner)
select $1::uuid, app_id, $3, $4, $5, $6, $7::json, $8, $9, 1, $11 from counted where not over_quota
on conflict (app_id, name) where not deleted do update
set recurrence = excluded.recurrence, timezone = excluded.timezone, missed = excluded.missed, data = excluded.data,
  enabled = excluded.enabled, caller = excluded.caller, updated_at = clock_timestamp(), changed = true,
  revision = schedules.revision + 1, caller_revision = schedules.revision + 1,
  look_again_at = '-infinity'
where $13 or schedules.owner is not distinct from $12
returning ${SCHEDULE_COLUMNS}
)
select written.*, counted.over_quota from counted left join written on true`,
)
