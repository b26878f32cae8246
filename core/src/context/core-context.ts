/** The shape of a call context: what core mounts on it, and the verbs of the sources. */
import type pg from 'pg'
import type { AuditTrail } from '../audit/audit.ts'
import type { Causality, Principal } from '../contract/scope.ts'
import type { DeadLetters } from '../dead-letters/dead-letters.ts'
import type { DeadLetterSource } from '../plugins/dead-letter-source.ts'
import type { Reply } from '../contract/reply.ts'
import type { Requests } from '../inbox/requests.ts'
import type { RequestOptions, SubmitOptions, SubmittedRequest } from '../contract/request-options.ts'
import type { Principals } from '../principals/principals.ts'
import type { History } from '../history/history.ts'
import type { Deliveries } from '../outbox/deliveries.ts'
import type { EmitOptions, EmitResult } from '../contract/emit-options.ts'
import type { SetAside } from '../set-aside/set-aside.ts'
import type { AnySource, EventInput, SourceNamed } from '../contract/source.ts'
import type { Explanation } from '../triggers/explain.ts'
import type { Triggers } from '../triggers/trigger.ts'

/** What every context has, whatever the sources. */
export interface CoreContext<S extends AnySource = AnySource> {
  readonly app: string
  readonly principal: Principal | undefined
  /**
   * For a handler, who emitted its event, through however many handlers; for any other context, its principal.
   * Undefined: the service. What this context emits has the same caller.
   */
  readonly caller: Principal | undefined
  /**
   * The same context for `principal`, which may do only what both may; each call asks. What it emits has `principal` as
   * its caller. Whoever is unknown, gone or disabled by then is refused (`access.forbidden`). The service may act for
   * anybody, a principal for itself and its caller.
   *
   * In a handler of the service's trigger, `cx.as(cx.caller)` does what the caller may do, and no more
   * (docs/callers.md).
   */
  as(principal: Principal | undefined): Context<S>
  /** 0 for a service's own call; a handler's is one deeper than the emit that caused it. */
  readonly depth: number
  /** The root execution, once there is one. */
  readonly rootId: string | undefined
  /** Depth, root and the triggers on the way, for a plugin to hand on when it leaves the process. */
  readonly causality: Causality
  readonly triggers: Triggers<S | DeadLetterSource>
  readonly deadLetters: DeadLetters
  readonly deliveries: Deliveries
  readonly history: History
  /** Who changed what in this app. */
  readonly audit: AuditTrail
  readonly principals: Principals
  readonly setAside: SetAside
  /**
   * Emits one event: in the caller's transaction after `with(tx)`, otherwise alone. Resolves once its rows are written.
   */
  emit<Name extends S['name']>(
    source: Name,
    event: EventInput<SourceNamed<S, Name>['events']>,
    options?: EmitOptions,
  ): Promise<EmitResult>
  /**
   * Emits all events in one statement: every row, or none. `options` go by position. Events that take more than 10 ms
   * to read are read in slices, between which other code runs: leave them unchanged until this resolves.
   */
  emitMany<Name extends S['name']>(
    source: Name,
    events: readonly EventInput<SourceNamed<S, Name>['events']>[],
    options?: readonly EmitOptions[],
  ): Promise<EmitResult[]>
  /**
   * Emits the event as a request. The one trigger that answers it runs once, wherever a dispatcher is free, and this
   * resolves with its reply or its failure. Not in a transaction: `request.in_transaction`.
   */
  request<Name extends S['name']>(
    source: Name,
    event: EventInput<SourceNamed<S, Name>['events']>,
    options?: RequestOptions,
  ): Promise<Reply>
  /**
   * A request for a caller that does not wait. Resolves once it is written, with the id by which `requests.get` finds
   * its reply. Undefined if no trigger answers it, or `options.onlyTo` says no: nothing is written then.
   */
  submit<Name extends S['name']>(
    source: Name,
    event: EventInput<SourceNamed<S, Name>['events']>,
    options?: SubmitOptions,
  ): Promise<SubmittedRequest | undefined>
  /**
   * What an emit of this event would do: for every trigger of the app whether it matches, or what failed. Writes
   * nothing, and refuses what an emit would refuse.
   */
  explain<Name extends S['name']>(
    source: Name,
    event: EventInput<SourceNamed<S, Name>['events']>,
  ): Promise<readonly Explanation[]>
  /**
   * Whether some trigger would answer a request with this event, by the triggers as of the app's last emit or request
   * in this process. In memory, writes nothing, and refuses what a request would refuse.
   */
  isAnswered<Name extends S['name']>(source: Name, event: EventInput<SourceNamed<S, Name>['events']>): Promise<boolean>
  /** Replies that nobody waits for any more. */
  readonly requests: Requests
  /**
   * The same context in the transaction that the caller has begun on `tx`: what it writes commits and rolls back with
   * the rest. `emit.tx_closed` if no transaction is open there.
   */
  with(tx: pg.ClientBase): Context<S>
}

/** The verbs of each source by its name: mapped, never intersected, so that sixty sources cost the compiler nothing. */
export type SourceApis<S extends AnySource> = {
  readonly [Name in S['name']]: ReturnType<SourceNamed<S, Name>['api']>
}

export type Context<S extends AnySource = AnySource> = CoreContext<S> & SourceApis<S>
