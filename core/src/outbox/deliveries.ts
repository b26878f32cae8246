/** Deliveries that have no outcome yet: looked at, and ended before their time. Per app. */
import { z } from 'zod'
import { wallClock } from '../clock.ts'
import type { CallScope } from '../context.ts'
import type { AttemptError } from '../dispatch/attempt-error.ts'
import { attemptError } from '../dispatch/attempt-error.ts'
import { OutbusError } from '../errors.ts'
import { idempotencyKeyOf } from '../idempotency-key.ts'
import { assertRowId } from '../ids.ts'
import type { Access } from '../principals/access.ts'
import { cancelDelivery } from '../sql/cancel-delivery.ts'
import type { DeliveryRow } from '../sql/get-delivery.ts'
import { getDelivery } from '../sql/get-delivery.ts'
import type { Queryable, Sql } from '../sql/statement.ts'
import { nameSchema } from '../validation/names.ts'
import { parseWith } from '../validation/zod-error.ts'

export interface PendingDelivery {
  readonly id: string
  /** The handler's `idempotencyKey`. */
  readonly idempotencyKey: string
  readonly eventId: string
  readonly trigger: { readonly id: string; readonly name: string; readonly source: string }
  /** The attempt that runs or comes next; from 1. */
  readonly attempt: number
  /** `running`: under a lease. One that a dispatcher has just claimed with others still counts as `waiting`. */
  readonly state: 'waiting' | 'running' | 'paused'
  readonly dueAt: Date
  readonly emittedAt: Date
  /** Of the attempts before, oldest first. */
  readonly errors: readonly AttemptError[]
}

export interface Deliveries {
  /** `delivery.not_found` when the app has none with this id: it came to its outcome, or never was. */
  get(id: string): Promise<PendingDelivery>
  /**
   * Ends a delivery as a failure of the kind `cancelled`, which no policy retries unless it says so. One that waits is a
   * dead letter at once (`cancelled`). Of one that runs, in whatever process, the signal aborts within a second and its
   * result is ignored (`cancelling`), unless it comes to its outcome before. `delivery.not_found` as for `get`.
   */
  cancel(id: string, options?: { readonly reason?: string }): Promise<'cancelled' | 'cancelling'>
}

const cancelSchema = z.strictObject({ reason: nameSchema('options.invalid').default('cancelled') })

export class DeliveryStore implements Deliveries {
  readonly #sql: Sql
  readonly #on: Queryable
  readonly #scope: CallScope
  readonly #access: Access
  readonly #channel: string

  constructor(sql: Sql, on: Queryable, scope: CallScope, access: Access, channel: string) {
    this.#sql = sql
    this.#on = on
    this.#scope = scope
    this.#access = access
    this.#channel = channel
  }

  async get(id: string): Promise<PendingDelivery> {
    const row = await this.#find(id)
    const { id: triggerId, name, source } = row.trigger
    return {
      id: row.id,
      idempotencyKey: idempotencyKeyOf(row.event_id, triggerId),
      eventId: row.event_id,
      trigger: { id: triggerId, name, source },
      attempt: row.attempt,
      state: stateOf(row),
      dueAt: row.due_at,
      emittedAt: row.emitted_at,
      errors: row.errors ?? [],
    }
  }

  async cancel(id: string, options: { reason?: string } = {}): Promise<'cancelled' | 'cancelling'> {
    const { reason } = parseWith(cancelSchema, options, { code: 'options.invalid', what: 'deliveries.cancel' })
    const { trigger } = await this.#find(id)
    await this.#access.assert(this.#scope, this.#on, 'delivery.cancel', trigger.registrant)
    const { name: _name, ...error } = attemptError(1, 'cancelled', { message: reason }, new Date(wallClock()))
    const [row] = await this.#sql.run(this.#on, cancelDelivery, [
      this.#scope.app,
      id,
      reason,
      JSON.stringify(error),
      this.#channel,
    ])
    if (row?.was === 'waiting') return 'cancelled'
    if (row?.was === 'running') return 'cancelling'
    throw notFound(id)
  }

  async #find(id: string): Promise<DeliveryRow> {
    const [row] = await this.#sql.run(this.#on, getDelivery, [this.#scope.app, assertRowId(id, 'a delivery id')])
    if (row === undefined) throw notFound(id)
    return row
  }
}

function stateOf({ leased, paused }: DeliveryRow): PendingDelivery['state'] {
  if (leased) return 'running'
  return paused ? 'paused' : 'waiting'
}

function notFound(id: string): OutbusError {
  return new OutbusError('delivery.not_found', 'the app has no such delivery, or it has come to its outcome', {
    path: 'id',
    received: id,
  })
}
