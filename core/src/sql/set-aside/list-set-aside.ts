import { statement } from '../../postgres/statement.ts'

export interface SetAsideTableRow {
  readonly kind: string
  readonly row_id: string
  readonly reason: string
  readonly set_aside_at: Date
}

/** Caller: setAside.list. By kind and row, ascending. */
export const listSetAside = statement<
  [appId: string, kind: string | null, afterKind: string | null, afterRow: string | null, limit: number],
  SetAsideTableRow
>(
  'list_set_aside',
  `select kind, row_id, reason, set_aside_at from {schema}.set_aside
where app_id = $1 and ($2::text is null or kind = $2) and ($3::text is null or (kind, row_id) > ($3, $4::text))
order by kind, row_id limit $5`,
)
