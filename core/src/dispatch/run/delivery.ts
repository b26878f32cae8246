/**
 * One outbox row on its way through the dispatcher. Costly members (event, logger, context, AbortController) are made
 * when they are first read.
 */
import type pg from 'pg'
import type { Logger } from 'pino'
import { boundedOrigin, MAX_ORIGIN_CHARACTERS } from '../../audit/bounded.ts'
import type { CallScope, Principal } from '../../contract/scope.ts'
import { callerOf } from '../../contract/scope.ts'
import { idempotencyKeyOf } from '../../contract/idempotency-key.ts'
import type { TriggerEvent } from '../../contract/source.ts'
import { readChainText } from '../../validation/stored-chain.ts'
import { DeliveryFailure } from '../../contract/delivery-failure.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { Plan } from './plan.ts'
import { readEvent } from './read-event.ts'
import type { RunsAs } from './runs-as.ts'
import type { Delivery } from '../../contract/delivery.ts'

export interface DeliverySurroundings {
  readonly log: Logger
  contextFor(scope: CallScope, tx: pg.ClientBase | undefined): unknown
}

const NOBODY: RunsAs = { principal: undefined }

export class RowDelivery implements Delivery {
  readonly row: OutboxRow
  readonly plan: Plan
  runsAs = NOBODY
  /** Set before the run of a transactional delivery. */
  transaction: pg.ClientBase | undefined
  /** By `performance.now()`: until then the lease of the take is certain to hold. */
  startBy: number | undefined
  /** The completion is being written, and will show whether the lease still holds. */
  completing = false
  /** Both by `performance.now()`: when the run began, and when it ended. */
  startedAt: number | undefined
  endedAt: number | undefined
  readonly #around: DeliverySurroundings
  #event: { value: TriggerEvent } | undefined
  #cx: unknown
  #log: Logger | undefined
  #abort: AbortController | undefined
  #aborted: { reason: unknown } | undefined

  constructor(row: OutboxRow, plan: Plan, around: DeliverySurroundings) {
    this.row = row
    this.plan = plan
    this.#around = around
  }

  get app(): string {
    return this.plan.app
  }

  get event(): TriggerEvent {
    return (this.#event ??= { value: readEvent(this.plan, this.row.event, this.eventVersion) }).value
  }

  get cx(): unknown {
    return (this.#cx ??= this.#around.contextFor(this.#scope(), this.transaction))
  }

  get tx(): pg.ClientBase {
    if (this.transaction !== undefined) return this.transaction
    throw new DeliveryFailure(
      'handler_error',
      `trigger ${JSON.stringify(this.plan.name)} is not transactional: it has no tx`,
    )
  }

  /** Whether the handler may have started: a transactional one starts once its transaction has begun. */
  get isBegun(): boolean {
    return !this.plan.transactional || this.transaction !== undefined
  }

  get eventVersion(): number {
    return this.row.eventVersion
  }

  get attempt(): number {
    return this.row.attempt
  }

  get idempotencyKey(): string {
    return idempotencyKeyOf(this.row.eventId, this.plan.triggerId)
  }

  get deliveryId(): string {
    return this.row.id
  }

  get eventId(): string {
    return this.row.eventId
  }

  get trigger(): { id: string; name: string; source: string } {
    return { id: this.plan.triggerId, name: this.plan.name, source: this.plan.sourceName }
  }

  get caller(): Principal | undefined {
    return callerOf(this.row.caller)
  }

  get traceContext(): string | undefined {
    return this.row.traceContext ?? undefined
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#aborted !== undefined) this.#abort.abort(this.#aborted.reason)
    }
    return this.#abort.signal
  }

  get log(): Logger {
    return (this.#log ??= this.#around.log.child({
      app: this.plan.app,
      deliveryId: this.deliveryId,
      trigger: this.plan.name,
      attempt: this.attempt,
      depth: this.row.depth,
      rootId: this.row.rootId,
      chain: this.chain,
      // Left out for the service.
      caller: this.row.caller ?? undefined,
    }))
  }

  /** Trigger ids from the root to this delivery's own, which stands alone if no bus wrote the row's chain. */
  get chain(): readonly string[] {
    return [...(readChainText(this.row.chain) ?? []), this.plan.triggerId]
  }

  /** Why this process cannot run the delivery, whose every attempt fails with this. */
  get problem(): DeliveryFailure | undefined {
    const { chain, depth } = this.row
    if (depth < 1) return new DeliveryFailure('payload_invalid', `no bus has written a row of depth ${depth}`)
    if (chain !== null && readChainText(chain) === undefined)
      return new DeliveryFailure('payload_invalid', 'the chain of triggers that the row carries cannot be read')
    return this.plan.problem
  }

  /** The handler's result no longer counts. */
  abort(reason: unknown): void {
    if (this.#aborted !== undefined) return
    this.#aborted = { reason }
    this.#abort?.abort(reason)
  }

  #scope(): CallScope {
    return {
      app: this.plan.app,
      ...('principal' in this.runsAs ? this.runsAs : { principal: undefined }),
      caller: this.caller,
      depth: this.row.depth,
      rootId: this.row.rootId,
      chain: this.chain,
      traceContext: this.traceContext,
      origin: this.#origin,
    }
  }

  /** For the audit of the handler's changes. */
  get #origin(): string {
    const { name, sourceName } = this.plan
    // A foreign program may write a trigger name of any length.
    const [trigger, source] = [name, sourceName].map((each) => each.slice(0, MAX_ORIGIN_CHARACTERS))
    return boundedOrigin(`delivery ${this.deliveryId} of trigger "${trigger}" (${source}), event ${this.eventId}`)
  }
}
