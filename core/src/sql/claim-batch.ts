import { statement } from './statement.ts'

/**
 * What a lane reads of a claimed row, as Postgres sent it: texts and nulls, in this order. `OutboxRow` reads it. Every
 * column costs Postgres an output and this process a string, so what the trigger's snapshot says too (the app) is left out.
 */
export const CLAIMED_COLUMNS = [
  'id',
  'priority',
  'due_at',
  'attempt',
  'lease_token',
  'event_id',
  'event',
  'event_version',
  'trigger',
  'depth',
  /** Null where the row's own event is the root. */
  'other_root_id',
  'chain',
  'trace_context',
] as const

export type ClaimedTexts = readonly (string | null)[]

/** For the select list. */
export const CLAIMED = CLAIMED_COLUMNS.map((column) =>
  column === 'other_root_id' ? 'nullif(root_id, event_id) as other_root_id' : column,
).join(', ')

/** What the lanes of rows in batches claim; the condition of their index. */
export const IN_BATCHES = 'not alone and reply_to is null and ordering_key is null and single = 0 and not paused'

function dueOfLevel(level: number, watermark: string): string {
  return `select * from (
      select ${CLAIMED} from {schema}.outbox
      where ${IN_BATCHES} and priority = ${level} and due_at <= now() and due_at >= ${watermark}
      order by due_at, id limit $1 for update skip locked
    ) as level_${level}`
}

/**
 * Caller: Lane, first in its claim transaction: the rows are locked until it ends, and back with everybody should it
 * never commit. Highest priority first; an append under a limit runs a lower level only when the higher ones did not
 * fill it, and locks nothing beyond the limit (G6).
 *
 * What the byte bound cuts off stays locked for the length of the batch, no longer. The first row is taken whatever
 * its size.
 */
export const claimBatch = statement<
  [rows: number, highFrom: string, normalFrom: string, lowFrom: string, bytes: number],
  ClaimedTexts
>(
  'claim_batch',
  `select ${CLAIMED_COLUMNS.join(', ')} from (
  select *, sum(pg_column_size(event)) over (rows between unbounded preceding and 1 preceding) as bytes_before
  from (
    ${dueOfLevel(2, '$2::timestamptz')}
    union all
    ${dueOfLevel(1, '$3::timestamptz')}
    union all
    ${dueOfLevel(0, '$4::timestamptz')}
    limit $1
  ) as due
) as sized
where bytes_before is null or bytes_before < $5::bigint`,
  { raw: true },
)
