/**
 * One outbox row on its way through the dispatcher, as a target and a handler see it. `deliveryId` is stable over
 * attempts. What costs something (parsing the event, a child logger, a call context, an AbortController) is made
 * when it is first asked for.
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
  /** Set before it runs. */
  runsAs = NOBODY
  /** Set before it runs, where its trigger is transactional. */
  transaction: pg.ClientBase | undefined
  /** By `performance.now()`: until then it is certain to hold the lease that it was taken under. */
  startBy: number | undefined
  /** Its completion is being written with what its handler wrote: whether it still holds its lease, that will say. */
  completing = false
  /** By `performance.now()`, once it runs, and once it has ended. */
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

  /** Its handler may have been started: that of a transactional trigger is once its transaction is begun. */
  get isBegun(): boolean {
    return !this.plan.transactional || this.transaction !== undefined
  }

  /** Of its source, that wrote it. */
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
      // Left out where it is the service.
      caller: this.row.caller ?? undefined,
    }))
  }

  /** Trigger ids from the root to this delivery's own. Its own alone, where the row has none that a bus has written. */
  get chain(): readonly string[] {
    return [...(readChainText(this.row.chain) ?? []), this.plan.triggerId]
  }

  /** Why it cannot be run here: it fails each attempt with this. Undefined where it can. */
  get problem(): DeliveryFailure | undefined {
    const { chain, depth } = this.row
    if (depth < 1) return new DeliveryFailure('payload_invalid', `no bus has written a row of depth ${depth}`)
    if (chain !== null && readChainText(chain) === undefined)
      return new DeliveryFailure('payload_invalid', 'the chain of triggers that the row carries cannot be read')
    return this.plan.problem
  }

  /** For the dispatcher: what comes of the handler now changes nothing any more. */
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

  /** For the audit of what the handler changes: by these ids the delivery, its event and its root are found. */
  get #origin(): string {
    const { name, sourceName } = this.plan
    // Whoever writes rows past the bus may name a trigger by a text of any length.
    const [trigger, source] = [name, sourceName].map((each) => each.slice(0, MAX_ORIGIN_CHARACTERS))
    return boundedOrigin(`delivery ${this.deliveryId} of trigger "${trigger}" (${source}), event ${this.eventId}`)
  }
}
