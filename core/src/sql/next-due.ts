import { IN_BATCHES } from './claim-batch.ts'
import { statement } from './statement.ts'

function firstOfLevel(level: number): string {
  return `(select due_at from {schema}.outbox where ${IN_BATCHES} and priority = ${level} and due_at > now() order by due_at limit 1)`
}

/**
 * Caller: Dispatcher, when its lanes found nothing: how long it may sleep. `in_hands`: some lane has rows claimed,
 * which come back at once if its process dies, so somebody should look often.
 */
export const nextDue = statement<[], { wait_ms: number | null; in_hands: boolean }>(
  'next_due',
  `select extract(epoch from least(${firstOfLevel(2)}, ${firstOfLevel(1)}, ${firstOfLevel(0)}) - clock_timestamp())::double precision * 1000 as wait_ms,
  exists (select from {schema}.claim_notes where lowest_id is not null) as in_hands`,
)
