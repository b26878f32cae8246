import { statement } from '../../postgres/statement.ts'

/**
 * What `OutboxRow` reads of a claimed row: texts and nulls, in this order. 13 columns cost 3 µs a row more than 5. So
 * the app is left out, which the snapshot has, and ordinary values share one null.
 */
export const CLAIMED_COLUMNS = ['id', 'event_id', 'event', 'trigger', 'rest'] as const

export type ClaimedTexts = readonly (string | null)[]

/**
 * The lines of `rest`, which is null if all are `ORDINARY`. An empty line is null, or for the root the row's own event.
 * `caller` follows a `=`, because an unknown caller is the empty text. An emitter may write line breaks:
 * `trace_context` loses them, `chain` gets blanks, and `caller` comes last.
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

/** For a principal's id. A longer one was written past the bus and is nobody's; its end is not read. */
export const MAX_CALLER_CHARACTERS = 128

/** What a claim selects: `CLAIMED_COLUMNS`. */
export const CLAIMED = `id, event_id, event, trigger,
    case when attempt <> 1 or depth <> 1 or event_version <> 1 or priority <> 1 or lease_token is not null or root_id <> event_id
      or trace_context is not null or chain is not null or caller is not null
    then concat_ws(E'\\n', attempt, depth, event_version, priority, coalesce(lease_token::text, ''),
      coalesce(nullif(root_id, event_id)::text, ''), coalesce(translate(trace_context, E'\\n', ''), ''),
      coalesce(translate(chain::text, E'\\n', ' '), ''), '=' || left(caller, ${MAX_CALLER_CHARACTERS + 1})) end as rest`

/** What the lanes of batches claim, and the condition of their index. */
export const IN_BATCHES = 'not alone and reply_to is null and ordering_key is null and single = 0 and not paused'

/**
 * For rows claimed by id. No partial index answers this form: plans made before the first analyze used the index of due
 * rows, and walked over the whole backlog.
 */
export function still(condition: string): string {
  return `(${condition}) is true`
}

/** The column that says of some rows when they were due. */
export const DUE_S = CLAIMED_COLUMNS.length
/** One row in so many says when it was due: a watermark may lag, and the date costs what three columns do. */
const DUE_EVERY = 16

/** Portions change after 2 to the power of so many ids, so that neighbours are one run of the note. */
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

/** Highest priority first. An append under a limit reads a lower level only if the higher ones leave room. */
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
 * Caller: UnorderedRows, first in its claim transaction. It locks no row beyond the limit (G6). Finding a row locked
 * costs half of claiming it, skipping another portion's a tenth, so each lane takes its own portion of a backlog
 * (`portions.ts`). `bytes` bounds each row: a larger event comes as null and is left to `claim_sized`.
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
 * Caller: UnorderedRows, for a while after an event was too large for `claim_batch`. `bytes` bounds all rows together,
 * but the first is always taken. Rows cut off stay locked until the batch ends. Summing up sizes costs a quarter of the
 * claim.
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
