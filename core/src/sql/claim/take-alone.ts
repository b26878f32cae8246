import { CLAIMED, CLAIMED_COLUMNS } from './claim-batch.ts'
import type { ClaimedTexts } from './claim-batch.ts'
import { isLeased } from './lease-end.ts'
import { isPaused } from '../pause/pauses.ts'
import { statement } from '../../postgres/statement.ts'
import { freeSlots, isLimitHeld, limitsHeld, STARTS_NOTED } from './trigger-limits.ts'

/** The column of the lease that the row had before, whose holder vanished. */
export const PREVIOUS_TOKEN = CLAIMED_COLUMNS.length

/** For how many interrupted rows the triggers' limits are looked at. */
const LIMITS_AT_A_TIME = 20

/** Caller: AloneLane, before `takeAlone` in one transaction, as `lockLimits` before `takeSingles`. */
export const lockLimitsAlone = statement<[from: number, latest: number], never>(
  'lock_limits_alone',
  limitsHeld(`
  select l.trigger_id from {schema}.trigger_limits l
  where l.trigger_id = any (array(
      select trigger_id from {schema}.outbox o where alone and due_at <= clock_timestamp() and due_at >= to_timestamp($1::double precision) and single > 0 and not paused and not ${isLeased('o', '$2')}
      order by due_at, id limit ${LIMITS_AT_A_TIME}
    )) and ${freeSlots('1', '$2')} > 0
  order by l.trigger_id for update skip locked
`),
)

/**
 * Caller: AloneLane. Takes one interrupted row under a lease, whose token says that the row was started. Claim and note
 * are one commit, so that the rows of a killed batch follow each other quickly.
 */
export const takeAlone = statement<[leaseToken: string, leaseMs: number, from: number, latest: number], ClaimedTexts>(
  'take_alone',
  `with due as materialized (
  select id as due_id, trigger_id, lease_token as previous_token from {schema}.outbox o
  where alone and due_at <= clock_timestamp() and due_at >= to_timestamp($3::double precision) and not paused and not ${isLeased('o', '$4')} and not ${isPaused('o.app_id', 'o.trigger_id')} and not (single > 0 and exists (
    select from {schema}.trigger_limits l
    where l.trigger_id = o.trigger_id and (not ${isLimitHeld('l.trigger_id')} or ${freeSlots('1', '$4')} = 0)
  ))
  order by due_at, id limit 1 for update skip locked
), ${STARTS_NOTED}
update {schema}.outbox o
set lease_token = $1::uuid, due_at = clock_timestamp() + $2::double precision * interval '1 millisecond', due_set_at = clock_timestamp()
from due where o.id = due.due_id
returning ${CLAIMED}, due.previous_token`,
  { raw: true },
)
