import { statement } from '../../postgres/statement.ts'

/** A table that is kept by day, in UTC: days are made ahead, and dropped as a whole. */
export type KeptByDay = 'attempts' | 'audit'

/** Callers: upkeep, and whoever writes attempts where there is no table for a day: yesterday, today and tomorrow. */
export const addDays = statement<[kept: KeptByDay], never>(
  'add_days',
  `select {schema}.add_day($1, (now() at time zone 'UTC')::date + days) from generate_series(-1, 1) as days`,
)

/** Caller: upkeep. Days that ended more than `days` ago go as a whole. Answers with how many went. */
export const dropDays = statement<[kept: KeptByDay, days: number], { dropped: number }>(
  'drop_days',
  `select {schema}.drop_days($1, (now() at time zone 'UTC')::date - $2::integer) as dropped`,
)
