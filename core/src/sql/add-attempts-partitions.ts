import { statement } from './statement.ts'

/** Caller: AttemptRecorder, when there is no table for a day: yesterday, today and tomorrow, in UTC. */
export const addAttemptsPartitions = statement<[], never>(
  'add_attempts_partitions',
  `select {schema}.add_attempts_partition((now() at time zone 'UTC')::date + days) from generate_series(-1, 1) as days`,
)
