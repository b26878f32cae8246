import { statement } from './statement.ts'

/**
 * What a lane reads of a claimed row, as Postgres sent it: texts and nulls, in this order. `OutboxRow` reads it. Every
 * column costs Postgres an output and this process a string, so what the trigger's snapshot says too (the app) is left out.
 */
export const CLAIMED_COLUMNS = [
  'id',
  'priority',
  /** In seconds since 1970. */
  'due_s',
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

const EXPRESSIONS: Partial<Record<(typeof CLAIMED_COLUMNS)[number], string>> = {
  // Seconds since 1970, to the microsecond: a number costs Postgres a quarter of what a timestamp's text does.
  due_s: `date_part('epoch', due_at)`,
  other_root_id: 'nullif(root_id, event_id)',
}

/** For the select list. */
export const CLAIMED = CLAIMED_COLUMNS.map((column) =>
  EXPRESSIONS[column] === undefined ? column : `${EXPRESSIONS[column]} as ${column}`,
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
  [rows: number, highFrom: number, normalFrom: number, lowFrom: number, bytes: number],
  ClaimedTexts
>(
  'claim_batch',
  `select ${CLAIMED_COLUMNS.join(', ')} from (
  select *, sum(pg_column_size(event)) over (rows between unbounded preceding and 1 preceding) as bytes_before
  from (
    ${dueOfLevel(2, 'to_timestamp($2::double precision)')}
    union all
    ${dueOfLevel(1, 'to_timestamp($3::double precision)')}
    union all
    ${dueOfLevel(0, 'to_timestamp($4::double precision)')}
    limit $1
  ) as due
) as sized
where bytes_before is null or bytes_before < $5::bigint`,
  { raw: true },
)
