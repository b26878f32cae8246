import { statement } from '../../postgres/statement.ts'

/** Caller: Idleness, when the dispatcher stops. */
export const forgetDispatcher = statement<[id: string], never>(
  'forget_dispatcher',
  `delete from {schema}.dispatchers where id = $1`,
)
