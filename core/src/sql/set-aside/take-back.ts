import { statement } from '../../postgres/statement.ts'

/** Caller: SetAsideRows, once a row can be read after all, or is gone. */
export const takeBack = statement<[appId: string, kind: string, rowId: string], never>(
  'take_back',
  `delete from {schema}.set_aside where app_id = $1 and kind = $2 and row_id = $3`,
)
