import { OUTBOX_COLUMNS } from './claim-batch.ts'
import type { RawOutboxRow } from './claim-batch.ts'
import { statement } from './statement.ts'

/** Caller: the lane that runs interrupted rows, one at a time with nothing beside them. First in its claim transaction. */
export const claimAlone = statement<[], RawOutboxRow>(
  'claim_alone',
  `delete from {schema}.outbox
where id = any (array(
  select id from {schema}.outbox
  where alone and due_at <= now()
  order by due_at, id limit 1 for update skip locked
))
returning ${OUTBOX_COLUMNS.join(', ')}`,
  { raw: true },
)
