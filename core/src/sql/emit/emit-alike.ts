import type { ArrayText } from '../../postgres/arrays.ts'
import type { EmitRow } from './parameters.ts'
import { NOTIFIED } from './emit-rows.ts'
import { statement } from '../../postgres/statement.ts'
import type { WritingStatement } from './write-statement.ts'
import type { WriteTexts } from '../../contract/write-texts.ts'
import { BESIDE, LATE, withLate, writtenWithin } from './write-statement.ts'

type AlikeParameters = [
  appId: string,
  expectedEpoch: string,
  eventIds: ArrayText,
  /** A JSON array of them: what Postgres takes out of it is stored as it stands in it, and need not be escaped before. */
  events: string,
  eventVersion: number,
  triggerIds: ArrayText,
  triggerSnapshots: ArrayText,
  triggerPriorities: ArrayText,
  depth: number,
  /** Null: each event is its own root. */
  rootId: string | null,
  chain: string | null,
  traceContext: string | null,
  /** Null: the service. */
  caller: string | null,
  /** Null: notify nobody, since somebody is told directly. */
  channel: string | null,
  wakes: string,
]

const SEEN = `coalesce((select content_id from {schema}.trigger_epochs where app_id = $1), '0') as epoch`
const CURRENT = `(select epoch from seen) = $2::text`
const STALE = `(select json_build_object($1::text, epoch) from seen where epoch <> $2::text) as stale`
/**
 * Ids are drawn in the order in which rows are inserted. Where no other session drew one in between, they are neighbours, and the
 * first says all of them; else all are written out. This way the ids cost the statement 3 % of its CPU time.
 */
const IDS = `case when max(id) - min(id) + 1 = cardinality($3::uuid[]) * cardinality($6::uuid[]) then min(id)::text
    else array(select id from written)::text end as ids`
const NOTIFIED_OF_WRITTEN = NOTIFIED('$14', '$15', 'min(id) is not null')

/** Event by event, and for each of them trigger by trigger: the left join fixes that order, by which `ids` is read. */
function written(event: string, beside = ''): string {
  return `written as (
  insert into {schema}.outbox (priority, due_at, app_id, event_id, event, event_version, trigger_id, trigger,
    depth, root_id, chain, trace_context, caller)
  select t.priority, clock_timestamp(), $1, e.id, (${event})::json, $5::integer, t.id, t.snapshot::json,
    $9::smallint, coalesce($10::uuid, e.id), $11::json, $12, $13
  from rows from (unnest($3::uuid[]), json_array_elements($4::json)) with ordinality as e (id, event, n)${beside}
  left join unnest($6::uuid[], $7::text[], $8::smallint[]) as t (id, snapshot, priority) on true
  where ${CURRENT} and e.n between 1 and 1000000 and cardinality($6::uuid[]) > 0
  returning id
)`
}

/**
 * Caller: Emitter, for events that differ in nothing but their ids and what they carry: emitted alike, without options, and
 * matched by the same triggers. That is most of what is emitted, and `emit_rows` with its arrays for everything costs a third
 * more. It says the same of stale indexes, and notifies as that does.
 *
 * The bounds of `n` leave nothing out. They tell the planner that few rows come: for what it supposes of unknown arrays, a
 * thousand rows, it took a plan for any parameters to be dearer than planning anew each time, which was half the statement's time.
 */
export const emitAlike = statement<AlikeParameters, EmitRow>(
  'emit_alike',
  `with seen as materialized (
  select ${SEEN}
), ${written('e.event')}
select ${STALE}, ${NOTIFIED_OF_WRITTEN}, ${IDS} from written`,
)

/**
 * The same with what a source writes itself in front of it: all of it is written, or, where the index is stale, nothing. Of each
 * event what its item's row says becomes the last members.
 */
export function emitAlikeWriting(write: WriteTexts): WritingStatement<AlikeParameters> {
  return statement(
    `emit_alike_${write.name}`,
    `with seen as materialized (
  select ${SEEN}, set_config('lock_timeout', $16, true) as lock_timeout
), ${writtenWithin(write, { after: 16, ids: '$3', current: CURRENT })}, ${written(withLate('e.event::text'), BESIDE)}
select ${STALE}, ${LATE}, ${NOTIFIED_OF_WRITTEN}, ${IDS} from written`,
  )
}
