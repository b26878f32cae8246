import { IN_BATCHES } from './claim-batch.ts'
import { statement } from '../../postgres/statement.ts'

function firstOfLevel(level: number): string {
  return `(select due_at from {schema}.outbox where ${IN_BATCHES} and priority = ${level} and due_at > now() order by due_at limit 1)`
}

/** Bounds the look: old versions of all notes may still be there (G13). */
const NEWEST = 2_000

/**
 * Caller: Idleness, when lanes found nothing: how long the dispatcher may sleep. `in_hands`: a lane has some of the
 * newest rows claimed. They come back at once if its process dies, so somebody should look often.
 */
export const nextDue = statement<[], { wait_ms: number | null; in_hands: boolean }>(
  'next_due',
  `select extract(epoch from least(${firstOfLevel(2)}, ${firstOfLevel(1)}, ${firstOfLevel(0)}) - clock_timestamp())::double precision * 1000::double precision as wait_ms,
  (
    select lowest_id from {schema}.claim_notes where lowest_id > (select last_value from {schema}.outbox_id_seq) - ${NEWEST}
    order by lowest_id desc limit 1
  ) is not null as in_hands`,
)
