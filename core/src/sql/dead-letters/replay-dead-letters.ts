import type { DeadLetterFilterParameters, LetterRange } from '../settle/dead-letter-row.ts'
import { DEAD_LETTER_CONDITION } from '../settle/dead-letter-row.ts'
import { IS_IDLE } from '../emit/emit-rows.ts'
import { IS_IN_LINE, inLine } from '../emit/in-line.ts'
import { AS_BEFORE, lockWait, WAITS_BOUNDED } from '../emit/lock-wait.ts'
import { isPaused } from '../pause/pauses.ts'
import { statement } from '../../postgres/statement.ts'

/**
 * Caller: DeadLetterStore.replay and replayAll. One statement marks letters and writes their rows, so no letter is
 * replayed twice, or marked without its row. The row is a new delivery with all its attempts, and the target and retry
 * policy of the row that died. It goes to the end of its line, and is parked at once if its trigger is paused or
 * disabled. `lock_timeout` bounds each wait.
 */
export const replayDeadLetters = statement<
  [...DeadLetterFilterParameters, ...LetterRange, force: boolean, channel: string],
  { replayed: number; parked: number; last_id: string | null; notified: unknown }
>(
  'replay_dead_letters',
  `with ${lockWait()}, chosen as (
  select id from {schema}.dead_letters
  where ${DEAD_LETTER_CONDITION}
    and id between $10::bigint and $11::bigint
    and ($13::boolean or resolution is null) and ${WAITS_BOUNDED}
  order by id limit $12 for update
), marked as (
  update {schema}.dead_letters d set resolution = 'replayed', resolved_at = clock_timestamp()
  from chosen where d.id = chosen.id
  returning d.*
), ${inLine('select app_id, trigger_id, ordering_key from marked where ordering_key is not null')}, written as (
  insert into {schema}.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, chain,
    ordering_key, single, trace_context, dedupe_key, replay_of, emitted_at, replayed_at, paused, caller)
  select priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, chain,
    ordering_key, single, trace_context, dedupe_key, id, emitted_at, clock_timestamp(), single = 0 and ${isPaused('marked.app_id', 'marked.trigger_id')}, caller
  from marked where ${IS_IN_LINE} order by id
  returning id
)
select (select count(*) from written)::integer as replayed,
  (select count(*) from marked where ${isPaused('marked.app_id', 'marked.trigger_id')})::integer as parked, (select max(id) from marked) as last_id,
  case when exists (select from written) and exists (select from {schema}.dispatchers where ${IS_IDLE}) then pg_notify($14, '') end as notified,
  ${AS_BEFORE}`,
)
