import type { DeliveryState } from '../../contract/delivery-state.ts'
import { MAX_KEY_BYTES } from '../../validation/names.ts'
import { isPaused } from '../pause/pauses.ts'

export interface DeliveryRow {
  readonly id: string
  readonly event_id: string
  readonly trigger_id: string
  /** The snapshot, as `triggers/stored.ts` reads it. */
  readonly trigger: unknown
  readonly attempt: number
  readonly due_at: Date
  readonly ordering_key: string | null
  readonly state: DeliveryState
  readonly errors: unknown
  readonly emitted_at: Date
  readonly caller: string | null
}

/** Of a row `o` of the outbox. Whoever held a lease that ran out has vanished; the next dispatcher takes over. */
const STATE = `case when o.lease_token is not null then case when o.due_at > clock_timestamp() then 'running' else 'leased' end
    when o.paused or ${isPaused('o.app_id', 'o.trigger_id')} then 'parked'
    when o.attempt > 1 then 'retrying' else 'waiting' end`

export const DELIVERY_COLUMNS = `o.id, o.event_id, o.trigger_id, o.trigger, o.attempt, o.due_at, o.ordering_key, ${STATE} as state, o.errors, o.emitted_at, o.caller`

/** The same as `givenKey` in `principal-keys.ts`. */
const GIVEN_KEY = `case when octet_length(o.ordering_key) <= ${MAX_KEY_BYTES} then o.ordering_key
    else substr(ltrim(o.ordering_key, chr(31)), strpos(ltrim(o.ordering_key, chr(31)), chr(31)) + 1) end`

/** A withdrawn row counts as gone: nobody starts it. */
const IS_WANTED = `(not o.paused or not exists (
    select from {schema}.withdrawals w where w.app_id = o.app_id and w.delivery_id = o.id
  ))`

/** The parameters of {@link DELIVERY_CONDITION}. A null does not restrict. */
export type DeliveryFilterParameters = [
  appId: string,
  eventId: string | null,
  triggerId: string | null,
  orderingKey: string | null,
  dueBefore: string | null,
  states: readonly DeliveryState[] | null,
  triggerName: string | null,
  source: string | null,
  /** The trigger's registrant. */
  registrant: string | null,
  /** Exclusive. */
  after: string,
  /** Inclusive. */
  to: string,
]

/**
 * One condition for listing, counting and withdrawing, so that a dry run counts what will be done. What takes the
 * snapshot's JSON apart stands last.
 */
export const DELIVERY_CONDITION = `o.id > $10::bigint and o.id <= $11::bigint and o.app_id = $1 and o.reply_to is null
  and ($2::uuid is null or o.event_id = $2)
  and ($3::uuid is null or o.trigger_id = $3)
  and ($4::text is null or ${GIVEN_KEY} = $4)
  and ($5::timestamptz is null or o.due_at < $5)
  and ($6::text[] is null or ${STATE} = any ($6))
  and ($7::text is null or {schema}.name_in(o.trigger, 'name') = $7)
  and ($8::text is null or {schema}.name_in(o.trigger, 'source') = $8)
  and ($9::text is null or {schema}.name_in(o.trigger, 'registrant') = $9)
  and ${IS_WANTED}`

/** One delivery by its app ($1) and its id ($2). Requests are left to their callers. */
export const IS_DELIVERY = `o.app_id = $1 and o.id = $2::bigint and o.reply_to is null and ${IS_WANTED}`
