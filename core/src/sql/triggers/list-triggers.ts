import { statement } from '../../postgres/statement.ts'
import type { TriggerRow } from './trigger-row.ts'
import { pausedColumn, TRIGGER_COLUMNS } from './trigger-row.ts'

/** Caller: TriggerRegistry.list. By name, a keyset because it is unique in its app. */
export const listTriggers = statement<
  [
    appId: string,
    afterName: string | null,
    source: string | null,
    enabled: boolean | null,
    registrant: string | null,
    limit: number,
  ],
  TriggerRow
>(
  'list_triggers',
  `select ${TRIGGER_COLUMNS}, ${pausedColumn('triggers')} from {schema}.triggers
where app_id = $1
  and ($2::text is null or name > $2)
  and ($3::text is null or source = $3)
  and ($4::boolean is null or enabled = $4)
  and ($5::text is null or registrant = $5)
order by name
limit $6`,
)
