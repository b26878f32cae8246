import { CLAIMED, CLAIMED_COLUMNS } from './claim-batch.ts'
import type { ClaimedTexts } from './claim-batch.ts'
import { statement } from './statement.ts'

/** What a taken row has beyond a claimed one: the lease that it was under before, whose holder has vanished. */
export const PREVIOUS_TOKEN = CLAIMED_COLUMNS.length

/**
 * Caller: AloneLane. One interrupted row, under a lease from the start: claim and note in one commit, so that many
 * rows of a killed batch are through quickly, one after the other. The lease token on the row says that it was started.
 */
export const takeAlone = statement<[leaseToken: string, leaseMs: number], ClaimedTexts>(
  'take_alone',
  `with due as (
  select id as due_id, lease_token as previous_token from {schema}.outbox
  where alone and due_at <= clock_timestamp()
  order by due_at, id limit 1 for update skip locked
)
update {schema}.outbox o
set lease_token = $1::uuid, due_at = clock_timestamp() + $2::double precision * interval '1 millisecond'
from due where o.id = due.due_id
returning ${CLAIMED}, due.previous_token`,
  { raw: true },
)
