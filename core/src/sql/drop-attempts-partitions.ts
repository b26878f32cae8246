import { statement } from './statement.ts'

/** Caller: upkeep. Days that ended more than `days` ago go as a whole. Answers with how many went. */
export const dropAttemptsPartitions = statement<[days: number], { dropped: number }>(
  'drop_attempts_partitions',
  `select {schema}.drop_attempts_partitions((now() at time zone 'UTC')::date - $1::integer) as dropped`,
)
