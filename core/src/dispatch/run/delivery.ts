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
import type { RunsAs } from './run-as.ts'

/** What a handler gets, as one object. `Event` and `Cx` are typed by the bus that registers it. */
export interface HandlerArgs<Event = TriggerEvent, Cx = unknown> {
  readonly app: string
  /** The trigger event, parsed when first read. */
  readonly event: Event
  /** A call context of the same app, one deeper than the emit, run as the trigger's registrant, or as its caller where the trigger says so. */
  readonly cx: Cx
  /** Counts from 1; at most the policy's `maxAttempts`. */
  readonly attempt: number
  /**
   * What to dedupe effects by: the same for every attempt, and for a replay of its dead letter. Made of the event's id and the
   * trigger's, 73 characters of `0-9`, `a-f`, `-` and `_`. No other event ever has it, whatever becomes of the database.
   */
  readonly idempotencyKey: string
  /**
   * The outbox row's id: the same for every attempt, and what `cx.deliveries` and `cx.history` find it by. After a restore or a
   * failover that lost commits, another delivery may have it: see `idempotencyKey`.
   */
  readonly deliveryId: string
  /** A uuid; one event makes one delivery for each trigger that matched. */
  readonly eventId: string
  readonly trigger: { readonly id: string; readonly name: string; readonly source: string }
  /**
   * Who emitted the event: `cx.caller`. Undefined for the service. It is no part of the event, so that nothing that a sender writes
   * can say it, and it grants nothing by itself.
   */
  readonly caller: Principal | undefined
  /**
   * The W3C `traceparent` of the context that emitted, to make the span of this run a part of that trace. What the handler
   * emits through `cx` carries it on. Undefined where the context was given none.
   */
  readonly traceContext: string | undefined
  /** Aborts at `timeoutMs`, when the claim or lease is lost and when the bus stops without more grace. */
  readonly signal: AbortSignal
  readonly log: Logger
  /**
   * Of a `transactional` trigger: the transaction that commits with the delivery's completion. `cx` writes through it
   * already. Reading it in the handler of another trigger throws.
   */
  readonly tx: pg.ClientBase
}

export type Delivery = HandlerArgs

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
