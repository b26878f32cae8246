import { statement } from './statement.ts'
import type { AttemptError } from '../dispatch/attempt-error.ts'
import type { TriggerSnapshot } from '../triggers/snapshot.ts'

export interface DeliveryRow {
  readonly id: string
  readonly event_id: string
  readonly trigger: TriggerSnapshot
  readonly attempt: number
  readonly due_at: Date
  readonly leased: boolean
  readonly paused: boolean
  readonly errors: readonly AttemptError[] | null
  readonly emitted_at: Date
}

/** Caller: DeliveryStore. A row of the outbox, but for those of requests. */
export const getDelivery = statement<[appId: string, deliveryId: string], DeliveryRow>(
  'get_delivery',
  `select id, event_id, trigger, attempt, due_at, lease_token is not null and due_at > clock_timestamp() as leased, paused, errors, emitted_at
from {schema}.outbox where app_id = $1 and id = $2::bigint and reply_to is null`,
)
