import { CLAIMED, CLAIMED_COLUMNS, IN_BATCHES, still } from './claim-batch.ts'
import type { ClaimedTexts } from './claim-batch.ts'
import { EMITTED_SETTING } from './emit-noted.ts'
import { statement } from './statement.ts'
import { NOTE_REACH } from './write-note.ts'

/** Whether somebody else has a note of it. */
export const NOTED_BY_OTHERS = CLAIMED_COLUMNS.length

/**
 * Caller: Lane, first in its claim transaction, right after `emit_noted` on the same connection: the row that it wrote. Once that is
 * locked the advisory lock has done its work. Where others have a note of it, they had it before, and may have started it. No row: somebody was quicker, or nothing was written; the lock is held on then.
 */
export const claimEmitted = statement<[lock: number, laneId: string], ClaimedTexts>(
  'claim_emitted',
  `select ${CLAIMED_COLUMNS.join(', ')}, exists (
    select from {schema}.claim_notes n
    where n.lowest_id between claimed.id - ${NOTE_REACH} and claimed.id and n.highest_id >= claimed.id and n.lane_id <> $2
  ) as noted_by_others, pg_advisory_unlock($1::bigint)
from (
  select ${CLAIMED} from {schema}.outbox
  where id = nullif(current_setting('${EMITTED_SETTING}', true), '')::bigint and ${still(`${IN_BATCHES} and due_at <= now()`)}
  for update skip locked
) as claimed`,
  { raw: true },
)
