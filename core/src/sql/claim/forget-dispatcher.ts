import { statement } from '../../postgres/statement.ts'

/** Caller: Dispatcher, when it stops. */
export const forgetDispatcher = statement<[id: string], never>(
  'forget_dispatcher',
  `delete from {schema}.dispatchers where id = $1`,
)
