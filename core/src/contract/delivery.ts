/** One outbox row on its way through the dispatcher, as a target and a handler see it. */
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Principal } from './scope.ts'
import type { TriggerEvent } from './source.ts'

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
