import { statement } from './statement.ts'

/** A claimed row as Postgres sent it: texts and nulls, in this order. {@link OutboxRow} reads it. */
export const OUTBOX_COLUMNS = [
  'id', 'priority', 'alone', 'due_at', 'attempt', 'lease_token', 'app_id', 'event_id', 'event', 'event_version', 'trigger_id',
  'trigger', 'depth', 'root_id', 'chain', 'ordering_key', 'reply_to', 'trace_context', 'dedupe_key', 'replay_of', 'errors', 'emitted_at',
] as const

export type RawOutboxRow = readonly (string | null)[]

function dueOfLevel(level: number, watermark: string): string {
  return `select * from (
      select id, event from {schema}.outbox
      where not alone and priority = ${level} and due_at <= now() and due_at >= ${watermark}
      order by due_at, id limit $1 for update skip locked
    ) as level_${level}`
}

/**
 * Caller: Lane, first in its claim transaction. Highest priority first; an append under a limit runs a lower level
 * only when the higher ones did not fill it.
 *
 * `= any (array(…))` and nothing else: the limit is then applied once, before the delete (G6), and the delete goes
 * by primary key. The byte bound leaves a row locked but not deleted at the most for the length of one batch.
 * The first row is taken whatever its size.
 */
export const claimBatch = statement<
  [rows: number, highFrom: string, normalFrom: string, lowFrom: string, bytes: number],
  RawOutboxRow
>(
  'claim_batch',
  `delete from {schema}.outbox
where id = any (array(
  select id from (
    select id, sum(pg_column_size(event)) over (rows between unbounded preceding and 1 preceding) as bytes_before
    from (
    ${dueOfLevel(2, '$2::timestamptz')}
    union all
    ${dueOfLevel(1, '$3::timestamptz')}
    union all
    ${dueOfLevel(0, '$4::timestamptz')}
    limit $1
    ) as due
  ) as sized
  where bytes_before is null or bytes_before < $5::bigint
))
returning ${OUTBOX_COLUMNS.join(', ')}`,
  { raw: true },
)
