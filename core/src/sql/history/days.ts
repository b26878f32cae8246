import { statement } from '../../postgres/statement.ts'

/** A table kept by UTC day. Days are added ahead, and dropped whole. */
export type KeptByDay = 'attempts' | 'audit'

/** Callers: Retention, and whoever finds no table for an attempt's day. Adds yesterday, today and tomorrow. */
export const addDays = statement<[kept: KeptByDay], never>(
  'add_days',
  `select {schema}.add_day($1, (now() at time zone 'UTC')::date + days) from generate_series(-1, 1) as days`,
)

/** Caller: Retention. Drops days that ended more than `days` ago, and answers with their number. */
export const dropDays = statement<[kept: KeptByDay, days: number], { dropped: number }>(
  'drop_days',
  `select {schema}.drop_days($1, (now() at time zone 'UTC')::date - $2::integer) as dropped`,
)
