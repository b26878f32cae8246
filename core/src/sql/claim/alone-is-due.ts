import { isLeased } from './lease-end.ts'
import { isPaused } from '../pause/pauses.ts'
import { statement } from '../../postgres/statement.ts'
import { freeSlots } from './trigger-limits.ts'

/** Caller: Lanes, before AloneLane holds off every batch. A row that waits for its trigger's limit does not count. */
export const aloneIsDue = statement<[from: number, latest: number], { due: boolean }>(
  'alone_is_due',
  `select exists (
  select from {schema}.outbox o
  where alone and due_at <= clock_timestamp() and due_at >= to_timestamp($1::double precision) and not paused and not ${isLeased('o', '$2')} and not ${isPaused('o.app_id', 'o.trigger_id')} and not (single > 0 and exists (
    select from {schema}.trigger_limits l where l.trigger_id = o.trigger_id and ${freeSlots('1', '$2')} = 0
  ))
) as due`,
)
