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
   * Who emitted the event that a handler handles, through however many handlers. Of any other context, its own principal. Undefined:
   * the service. What is emitted through this context has the same caller.
   */
  readonly caller: Principal | undefined
  /**
   * The same context for `principal`, with the lesser of its rights and those of this one, which are asked for at each call. What is emitted
   * through it has `principal` as its caller. Whoever is unknown, gone or disabled by then is refused (`access.forbidden`).
   *
   * A handler of the service's own trigger does with `cx.as(cx.caller)` what its caller may do, and no more. The service may act for
   * anybody; a principal for itself and its caller. Where the caller is the service, `cx.as(cx.caller)` is the context as it is.
   */
  as(principal: Principal | undefined): Context<S>
  /** 0 for a service's own call; a handler's is one deeper than the emit that caused it. */
  readonly depth: number
  /** The root execution, once there is one. */
  readonly rootId: string | undefined
  /** Depth, root and the triggers on the way: what a plugin hands on when it leaves the process. */
  readonly causality: Causality
  readonly triggers: Triggers<S | DeadLetterSource>
  readonly deadLetters: DeadLetters
  readonly deliveries: Deliveries
  readonly history: History
  /** Who changed what in this app. */
  readonly audit: AuditTrail
  readonly principals: Principals
  readonly setAside: SetAside
  /** Emits one event: in the caller's transaction after `with(tx)`, else by itself. Resolves when its rows are written. */
  emit<Name extends S['name']>(
    source: Name,
    event: EventInput<SourceNamed<S, Name>['events']>,
    options?: EmitOptions,
  ): Promise<EmitResult>
  /**
   * All events in one statement: every row of every event, or none. `options` go by position. What takes more than 10 ms to read is
   * read in slices, between which others have their turn: leave the events as they are until this resolves.
   */
  emitMany<Name extends S['name']>(
    source: Name,
    events: readonly EventInput<SourceNamed<S, Name>['events']>[],
    options?: readonly EmitOptions[],
  ): Promise<EmitResult[]>
  /**
   * Emits the event as a request: the one trigger that answers it runs once, wherever a dispatcher is free, and its
   * reply, or how it failed, is what this resolves with. Not in a transaction: `request.in_transaction`.
   */
  request<Name extends S['name']>(
    source: Name,
    event: EventInput<SourceNamed<S, Name>['events']>,
    options?: RequestOptions,
  ): Promise<Reply>
  /**
   * The same for a caller that does not wait: resolves when the request is written, with the id by which
   * `requests.get` finds its reply later. Undefined where no trigger answers it, or `options.onlyTo` says no: nothing was
   * written.
   */
  submit<Name extends S['name']>(
    source: Name,
    event: EventInput<SourceNamed<S, Name>['events']>,
    options?: SubmitOptions,
  ): Promise<SubmittedRequest | undefined>
  /**
   * What an emit of this event would do: for every trigger of the app whether it matches, or what failed. Writes nothing,
   * and refuses what an emit would refuse.
   */
  explain<Name extends S['name']>(
    source: Name,
    event: EventInput<SourceNamed<S, Name>['events']>,
  ): Promise<readonly Explanation[]>
  /**
   * Whether some trigger would answer a request with this event, by the triggers that this process knows: those of the app's last emit or
   * request here. In memory, writes nothing, and refuses what a request would refuse.
   */
  isAnswered<Name extends S['name']>(source: Name, event: EventInput<SourceNamed<S, Name>['events']>): Promise<boolean>
  /** Replies that nobody waits for any more. */
  readonly requests: Requests
  /**
   * The same context inside a transaction that the caller has begun on `tx`: what it writes commits and rolls back
   * with the rest. `emit.tx_closed` when no transaction is open on it.
   */
  with(tx: pg.ClientBase): Context<S>
}

/** The verbs of each source by its name: mapped, never intersected, so that sixty sources cost the compiler nothing. */
export type SourceApis<S extends AnySource> = {
  readonly [Name in S['name']]: ReturnType<SourceNamed<S, Name>['api']>
}

export type Context<S extends AnySource = AnySource> = CoreContext<S> & SourceApis<S>
