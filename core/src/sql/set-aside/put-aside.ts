import { statement } from '../../postgres/statement.ts'

/** Caller: SetAsideRows. Answers with a row only if the row was not set aside before. */
export const putAside = statement<[appId: string, kind: string, rowId: string, reason: string], { row_id: string }>(
  'put_aside',
  `insert into {schema}.set_aside (app_id, kind, row_id, reason) values ($1, $2, $3, $4)
on conflict (app_id, kind, row_id) do nothing
returning row_id`,
)
