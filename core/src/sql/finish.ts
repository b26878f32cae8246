import { statement } from './statement.ts'

/** Caller: Settlement, for rows that its transaction has locked: they are done, discarded or skipped. */
export const finish = statement<[ids: readonly string[]], never>('finish', `delete from {schema}.outbox where id = any ($1::bigint[])`)
