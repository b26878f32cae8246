import { statement } from '@outbus/core/plugin'

/** Callers: schedule.set and schedule.delete, before they read what they change: one at a time in an app. The lock of `schedule_put` too. */
export const lockSchedules = statement<[appId: string], never>(
  'schedule_lock',
  `insert into {schema}.schedule_apps as a (app_id) values ($1) on conflict (app_id) do update set taken_at = clock_timestamp()`,
)
