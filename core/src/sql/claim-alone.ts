import { CLAIMED_COLUMNS } from './claim-batch.ts'
import type { ClaimedTexts } from './claim-batch.ts'
import { statement } from './statement.ts'

/** Caller: the lane that runs interrupted rows, one at a time with nothing beside them. First in its claim transaction. */
export const claimAlone = statement<[], ClaimedTexts>(
  'claim_alone',
  `select ${CLAIMED_COLUMNS.join(', ')} from {schema}.outbox
where alone and due_at <= now()
order by due_at, id limit 1 for update skip locked`,
  { raw: true },
)
