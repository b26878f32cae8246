import type { ArrayText } from '../../postgres/arrays.ts'
import type { EmitRow } from './parameters.ts'
import { NOTIFIED } from './emit-rows.ts'
import { statement } from '../../postgres/statement.ts'
import type { WithWriteStatement } from './write-statement.ts'
import type { WriteTexts } from '../../contract/write-statement.ts'
import { BESIDE, GENERATED, withGenerated, writtenWithin } from './write-statement.ts'

type UniformParameters = [
  appId: string,
  expectedEpoch: string,
  eventIds: ArrayText,
  /** A JSON array. Postgres stores each element as it stands, so none is escaped first. */
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
  caller: string | null,
  /** Null: nobody is notified, because the emitter wakes a lane directly. */
  channel: string | null,
  wakes: string,
]

const SEEN = `coalesce((select content_id from {schema}.trigger_epochs where app_id = $1), '0') as epoch`
const CURRENT = `(select epoch from seen) = $2::text`
const STALE = `(select json_build_object($1::text, epoch) from seen where epoch <> $2::text) as stale`
/**
 * Ids that no other session drew between are consecutive, and the first stands for all. So the ids cost 3 % of the
 * statement's CPU time.
 */
const IDS = `case when max(id) - min(id) + 1 = cardinality($3::uuid[]) * cardinality($6::uuid[]) then min(id)::text
    else array(select id from written)::text end as ids`
const NOTIFIED_OF_WRITTEN = NOTIFIED('$14', '$15', 'min(id) is not null')

/** Inserts event by event, then trigger by trigger. The left join fixes that order, which readers of `ids` rely on. */
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
 * Caller: Emitter, for events that differ only in id and content, have no options, and match the same triggers. Most
 * emits do, and `emit_rows` costs a third more.
 *
 * The bounds of `n` exclude nothing: they tell the planner to expect few rows. Expecting a thousand per array, it
 * planned anew each time, which was half of the statement's time.
 */
export const emitUniform = statement<UniformParameters, EmitRow>(
  'emit_uniform',
  `with seen as materialized (
  select ${SEEN}
), ${written('e.event')}
select ${STALE}, ${NOTIFIED_OF_WRITTEN}, ${IDS} from written`,
)

/**
 * `emit_uniform` with a source's own write before it. If the index is stale, nothing is written. The members of each
 * item's `generated` are appended to its event.
 */
export function emitUniformWithWrite(write: WriteTexts): WithWriteStatement<UniformParameters> {
  return statement(
    `emit_uniform_${write.name}`,
    `with seen as materialized (
  select ${SEEN}, set_config('lock_timeout', $16, true) as lock_timeout
), ${writtenWithin(write, { after: 16, ids: '$3', current: CURRENT })}, ${written(withGenerated('e.event::text'), BESIDE)}
select ${STALE}, ${GENERATED}, ${NOTIFIED_OF_WRITTEN}, ${IDS} from written`,
  )
}
