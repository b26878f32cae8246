import { statement } from '../../postgres/statement.ts'

/** Caller: DeadLetterAnnouncer, for a letter that is set aside. Nobody tries to announce it again. */
export const leaveUnannounced = statement<[id: string], never>(
  'leave_unannounced',
  `update {schema}.dead_letters set announced = true where id = $1::bigint`,
)
