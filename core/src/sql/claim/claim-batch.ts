import { statement } from '../../postgres/statement.ts'

/**
 * What a lane reads of a claimed row, as Postgres sent it: texts and nulls, in this order. `OutboxRow` reads it. Every
 * column costs Postgres an output and this process a string, 13 of them 3 µs a row more than 5: so what the trigger's snapshot
 * says too (the app) is left out, and what is as it mostly is comes as one null.
 */
export const CLAIMED_COLUMNS = ['id', 'event_id', 'event', 'trigger', 'rest'] as const

export type ClaimedTexts = readonly (string | null)[]

/**
 * The lines of `rest`; it is null where all are `ORDINARY`. Empty for null, and for a root that is the row's own event. The caller comes after a
 * `=`, since one that nobody has named is empty. An emitter may write any text as trace context and caller, and JSON with line breaks
 * as chain: the first goes without them, JSON has blanks for them, and the caller comes last.
 */
export const REST = [
  'attempt',
  'depth',
  'event_version',
  'priority',
  'lease_token',
  'root_id',
  'trace_context',
  'chain',
  'caller',
] as const

/** Of a principal's id. An emitter may write the column past the bus: what is longer is nobody's, and is not read to its end. */
export const MAX_CALLER_CHARACTERS = 128

/** For the select list. */
export const CLAIMED = `id, event_id, event, trigger,
    case when attempt <> 1 or depth <> 1 or event_version <> 1 or priority <> 1 or lease_token is not null or root_id <> event_id
      or trace_context is not null or chain is not null or caller is not null
    then concat_ws(E'\\n', attempt, depth, event_version, priority, coalesce(lease_token::text, ''),
      coalesce(nullif(root_id, event_id)::text, ''), coalesce(translate(trace_context, E'\\n', ''), ''),
      coalesce(translate(chain::text, E'\\n', ' '), ''), '=' || left(caller, ${MAX_CALLER_CHARACTERS + 1})) end as rest`

/** What the lanes of rows in batches claim; the condition of their index. */
export const IN_BATCHES = 'not alone and reply_to is null and ordering_key is null and single = 0 and not paused'

/**
 * Of rows that are claimed by their ids. Written so that no partial index answers it: plans made before the table was ever analyzed
 * took the index of due rows for this, and walked over the whole backlog to find a handful of ids.
 */
export function still(condition: string): string {
  return `(${condition}) is true`
}

/** Of some rows, when they were due; beside the columns that all claims have. */
export const DUE_S = CLAIMED_COLUMNS.length
/** Of about one row in so many. A watermark that lags by a few rows does as well, and the date costs what three columns do. */
const DUE_EVERY = 16

/** Portions change after so many ids, as a power of two: neighbours are one run of the note. */
const PORTION_BITS = 8

const LEVELS = [
  [2, '$2'],
  [1, '$3'],
  [0, '$4'],
] as const

function dueOfLevel(level: number, watermark: string, columns: string): string {
  return `select * from (
      select ${columns} from {schema}.outbox
      where ${IN_BATCHES} and priority = ${level} and due_at <= now() and due_at >= to_timestamp(${watermark}::double precision)
        and (id >> ${PORTION_BITS}) % $6::bigint = $7::bigint
      order by due_at, id limit $1 for update skip locked
    ) as level_${level}`
}

/** Highest priority first; an append under a limit runs a lower level only when the higher ones did not fill it. */
function dueOf(columns: string): string {
  return `${LEVELS.map(([level, watermark]) => dueOfLevel(level, watermark, columns)).join('\n    union all\n    ')}
    limit $1`
}

export type ClaimParameters = [
  rows: number,
  highFrom: number,
  normalFrom: number,
  lowFrom: number,
  bytes: number,
  portions: number,
  portion: number,
]

/**
 * Caller: UnorderedRows, first in its claim transaction: the rows are locked until it ends, and back with everybody should it
 * never commit. It locks nothing beyond the limit (G6). To find a row locked costs what half a claimed one does, to leave out
 * one of another portion a tenth: so of a backlog each lane takes a portion of its own (`portions.ts`). `bytes` is for each row: of one whose event is larger it says only that
 * it is there, with null for its event; that row is left as it is, and `claim_sized` takes it.
 */
export const claimBatch = statement<ClaimParameters, ClaimedTexts>(
  'claim_batch',
  dueOf(
    `${CLAIMED.replace(', event,', ', case when pg_column_size(event) <= $5::bigint then event end as event,')},
        case when id % ${DUE_EVERY}::bigint = 0 then date_part('epoch', due_at) end as due_s`,
  ),
  { raw: true },
)

/**
 * Caller: UnorderedRows, instead, for a while after an event was too large for `claim_batch`. `bytes` is for all of them; what that cuts
 * off stays locked for the length of the batch, no longer. The first row is taken whatever its size. Summing up the sizes
 * costs a quarter of what the claim does without.
 */
export const claimSized = statement<ClaimParameters, ClaimedTexts>(
  'claim_sized',
  `select ${CLAIMED_COLUMNS.join(', ')}, due_s from (
  select *, sum(pg_column_size(event)) over (rows between unbounded preceding and 1 preceding) as bytes_before
  from (
    ${dueOf(`${CLAIMED}, case when id % ${DUE_EVERY}::bigint = 0 then date_part('epoch', due_at) end as due_s`)}
  ) as due
) as sized
where bytes_before is null or bytes_before < $5::bigint`,
  { raw: true },
)
