import { statement } from '../../postgres/statement.ts'

/** Caller: SingleLane, when it found nothing: whether a retry waits, or a row waits for its trigger's limit. */
export const singleIsWaiting = statement<[single: number], { waiting: boolean }>(
  'single_is_waiting',
  `select exists (select from {schema}.outbox where single = $1::smallint and single > 0 and not alone) as waiting`,
)
