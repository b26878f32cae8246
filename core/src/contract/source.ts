/**
 * The source contract: what a plugin says can happen.
 *
 * Vocabulary: a *source* emits *service events* (`op` and what that op carries). A *trigger* stores a *filter*
 * of the source's own shape. For each trigger that matches, an outbox row carries the *trigger event*, which is
 * what the source serialized the service event to and what a target receives.
 */
import type { Logger } from 'pino'
import type { z } from 'zod'
import type { CallScope, Principal } from './scope.ts'
import type { Reply } from './reply.ts'
import type { RequestOptions, SubmitOptions, SubmittedRequest } from './request-options.ts'
import type { JsonValue } from './json.ts'
import type { EmitOptions, EmitResult } from './emit-options.ts'
import type { ErasureBatch, ErasedBatch } from './erasure.ts'
import type { Quotas } from './quotas.ts'
import type { Audience } from './audience.ts'
import type { Statement } from './statement.ts'
import type { WriteStatement } from './write-statement.ts'

/** What a target receives: any JSON value. */
export type TriggerEvent = JsonValue

/** Each op of a source and the schema of what it carries: `{ set: z.object({ … }), delete: z.object({ … }) }`. */
export type EventSchemas = Record<string, z.ZodObject>

/** zod types an object without members so that nothing may stand beside it, not even the op. */
type Carried<T> = T extends Record<string, never> ? unknown : T

/** A service event: its op and what the op carries, flat. */
export type EventOf<E extends EventSchemas> = {
  [Op in keyof E & string]: { op: Op } & Carried<z.output<E[Op]>>
}[keyof E & string]

/** A service event as an emitter writes it, before defaults of the schema are filled in. */
export type EventInput<E extends EventSchemas> = {
  [Op in keyof E & string]: { op: Op } & Carried<z.input<E[Op]>>
}[keyof E & string]

export interface EventSource<
  Name extends string = string,
  E extends EventSchemas = EventSchemas,
  F extends z.ZodType = z.ZodType,
  Api extends object = object,
  T extends TriggerEvent = TriggerEvent,
> {
  /** Unique among the sources of a bus; lower case; where the verbs are mounted (`cx.kv`). */
  readonly name: Name
  /** The ops and what each carries. Parsed on every emit, so that matcher and serializer see only valid events. */
  readonly events: E
  /** What a trigger may filter on. Strict. Parsed when a trigger is written and when the index is built. */
  readonly filter: F
  /** Version of the trigger event, from 1. Stored with each row; `upcast` reads older ones. */
  readonly version: number
  /**
   * Where a trigger is filed. Called once per trigger when an index is built. Pure.
   * Sound with `keysOf`: whenever `matches` is true, the two have a key in common. Not promised the other way.
   * Default for the two, which come together: one key for all triggers, and `matches` decides about each of them.
   */
  keys?(filter: z.output<F>): readonly string[]
  /** Where triggers are looked up. Called once per emit. Pure. */
  keysOf?(event: EventOf<E>): readonly string[]
  /** Decides among the candidates that share a key. Called once per candidate and emit. Pure: no I/O, no clock. */
  matches(args: { event: EventOf<E>; filter: z.output<F> }): boolean
  /**
   * What the `pattern` of a filter speaks of, where the filter has one (`pattern: patternSchema().optional()`): core files
   * triggers by it and tests it, before `matches` is asked. Undefined: this event has nothing that a pattern could match.
   * Called at most once per emit. Pure. Default: patterns are for `matches` to test.
   */
  content?(event: EventOf<E>): JsonValue | undefined
  /** The trigger event. Called once per emit, whether anything matches or not. Pure. */
  serialize(event: EventOf<E>): T
  /** Reads a trigger event that version `from` of this source wrote. Called per delivery of an older row. Pure. */
  upcast?(args: { event: TriggerEvent; from: number }): T
  /**
   * What the target of one trigger receives, where that depends on the trigger's filter, such as the parameters of a
   * route. Its rows carry the filter then. Called per delivery, after `upcast`. Pure. Default: what `serialize` gave.
   */
  bind?(args: { event: T; filter: z.output<F> }): T
  /**
   * Which of several matching triggers answers a request: the one that this gives the highest number. Called once per
   * matching trigger of a request. Pure. Default: all alike, and the highest priority or the oldest trigger decides.
   */
  rank?(args: { event: EventOf<E>; filter: z.output<F> }): number
  /** What "in order" means for this source; stored with each row, at most 255 bytes. Pure. */
  orderingKey?(event: EventOf<E>): string
  /**
   * Whether the trigger of `registrant` (undefined: the service) may hear of the event at all, for a source whose events are somebody's.
   * Called once per matching trigger and emit. Pure. Default: every trigger of the app may.
   */
  reaches?(args: { event: EventOf<E>; registrant: string | undefined }): boolean
  /** Who, beside the service and administrators, may call its verbs, and emit and request its events. Default everyone. */
  readonly verbsFor?: Audience
  /** Who, beside the service and administrators, may register triggers on it. Default everyone. */
  readonly triggersFor?: Audience
  /**
   * The ops whose events say what the source itself saw, such as that a time has come. Only its own code emits and requests them, by
   * its context, whoever that acts for; and the service, by `cx.emit` and the like. A principal, an administrator too, is refused by
   * `cx.emit`, `emitMany`, `request`, `submit` and `isAnswered` with `access.forbidden`. Default none: whoever `verbsFor` allows may emit.
   */
  readonly ownOps?: readonly NoInfer<keyof E & string>[]
  /**
   * What the `Authorizer` is asked about, by verb: each verb that stands here asks by {@link SourceContext.authorize} or
   * {@link SourceContext.reach} before it does anything. A verb that does not is asked about by core, without a resource. `'free'`: it
   * reads and writes nothing, and nobody is asked.
   */
  readonly actions?: Readonly<Record<string, VerbAction | 'free'>>
  /**
   * For `bus.apps.eraseData`: how what the source stores about somebody is erased, by each of its tables that has an `app_id`.
   * `'no payload'`: there is nothing in it that could be about anybody. A source that has no tables says `{}`. Default: it does not say,
   * and an erasure names it as not covered.
   *
   * Called once for each batch, in a transaction of its own, again and again until there is nothing left: looks at `limit` rows after
   * `after` by the table's primary key, erases those that `payloadMatches` is true of and that nobody has locked, or only counts them,
   * and emits nothing. A stored value is matched as the event that tells of it: `{ collection, key, value }`.
   */
  readonly erase?: Readonly<Record<string, ((batch: ErasureBatch) => Promise<ErasedBatch>) | 'no payload'>>
  /** The source's verbs, mounted at `cx[name]`. Called at most once per call context; the verbs may do I/O. */
  api(context: SourceContext<E>): Api
}

/** What the `Authorizer` is asked about a verb, as `docs/authorizer.md` and the test kit read it. */
export interface VerbAction {
  /** Its members, and what they say. */
  readonly resource: Readonly<Record<string, string>>
  /** What the default allows to a principal that is no administrator. Default `open`: whatever `verbsFor` allows. */
  readonly allows?: 'open' | 'own and open'
}

/** What a source's verbs are handed: never the container, never another plugin. */
export interface SourceContext<E extends EventSchemas = EventSchemas> {
  readonly app: string
  readonly principal: Principal | undefined
  /**
   * Whom an emit of this context is attributed to; undefined for the service. A source whose event happens later keeps its id with what it
   * stores, and gives it to {@link SourceHost.context} then.
   */
  readonly caller: Principal | undefined
  readonly scope: CallScope
  /**
   * Asks whether this context may call the verb, as `<source>.<verb>`; rejects, or throws, with `access.forbidden`. Undefined, at once, for
   * the service and where the answer is at hand. A `priority` in the resource has to be open to the principal as well. `owner`: whose
   * it is (`caller` of a context that wrote it); null for the service's.
   */
  authorize(verb: string, resource: Readonly<Record<string, unknown>>, owner?: string | null): Promise<void> | undefined
  /** The same for a listing: undefined where everybody's are meant, else the id of the principal whose own are. */
  reach(verb: string, resource: Readonly<Record<string, unknown>>): Promise<string | undefined>
  /** A child of the bus's logger that names the source. */
  readonly log: Logger
  /** Runs one statement in the caller's transaction when there is one, else by itself. */
  run<P extends readonly unknown[], Row>(statement: Statement<P, Row>, parameters: P): Promise<Row[]>
  /**
   * Runs `work` in the caller's transaction when there is one, else in one of the bus's own that commits when
   * `work` resolves and rolls back when it throws.
   */
  transaction<T>(work: (tx: SourceTransaction<E>) => Promise<T>): Promise<T>
  /**
   * Writes the item and emits its event, with what else this process is asked to write by the same `write` meanwhile:
   * one statement and one commit, after which each caller has its own answer. In the caller's transaction, where there
   * is one, by itself. For verbs that are called often by themselves: alone, each would pay for a commit. Refuses what
   * `check` refuses before anything is written.
   */
  together<Item>(write: SharedWrite<Item>, part: SharedPart<E, Item>): Promise<SharedResult>
  /** Largest trigger event, in bytes of JSON: the bus's `maxEventBytes`. */
  readonly maxEventBytes: number
  /** Quotas of the app as they are now, for a verb that counts what is its own: `quotaExceeded` makes its refusal. One read. */
  quotas(): Promise<Quotas>
  /**
   * Refuses what `emit` would refuse of this event and these options, without any I/O. For a verb that writes
   * something of its own first, so that a caller's transaction is never left with half of it.
   */
  check(event: EventInput<E>, options?: EmitOptions): void
  /** Emits one event of this source: in the caller's transaction when there is one, else by itself. */
  emit(event: EventInput<E>, options?: EmitOptions): Promise<EmitResult>
  /**
   * `cx.request` and the like for this source's own events, also those of its `ownOps`. A principal is asked about as there
   * (`event.request`).
   */
  readonly requests: SourceRequests<E>
}

/** Requests of a source's own events, see {@link SourceContext.requests}. */
export interface SourceRequests<E extends EventSchemas = EventSchemas> {
  request(event: EventInput<E>, options?: RequestOptions): Promise<Reply>
  submit(event: EventInput<E>, options?: SubmitOptions): Promise<SubmittedRequest | undefined>
  isAnswered(event: EventInput<E>): Promise<boolean>
}

/** A source in the hands of its own plugin, which makes events happen by itself: `PluginHost.source`. */
export interface SourceHost<E extends EventSchemas = EventSchemas> {
  /**
   * As a verb is called by the service itself, for one app. What is emitted is attributed to `caller`, the id that a verb's own
   * context named (`SourceContext.caller`). Default, and null: the service. Never an id that a sender wrote.
   * `emit`, `transaction` and `together` ask whether that principal still stands: they reject with `access.forbidden` and write nothing,
   * where it was removed or is disabled. `authorize` and `reach` ask about that principal. Any other error says that there was no answer.
   */
  context(app: string, options?: { readonly caller?: string | null }): SourceContext<E>
  /**
   * For a source that reads rows of all apps: one that cannot be understood must not be in the way of the others. Both may reject
   * like any other write.
   */
  readonly aside: {
    /** Says of the row `id` of the source's own table why it cannot be understood: at `cx.setAside`, in the stats, and once in the log. */
    put(app: string, id: string, because: unknown): Promise<void>
    /** It can be understood again, or is gone. */
    takeBack(app: string, id: string): Promise<void>
  }
}

/** What became of a dedupe key that a verb asked for. */
export interface Reservation {
  /** The id of the event that took the key first. Undefined: none was given, or it was free and is this verb's now. */
  readonly takenBy: string | undefined
  /** Gives the key back: for a verb that is refused after all, in a transaction that may go on. */
  release(): Promise<void>
}

/** A transaction as a source's verb sees it. Valid until `work` settles. */
export interface SourceTransaction<E extends EventSchemas = EventSchemas> {
  /**
   * Takes the dedupe key of `options`, if it has one, before the verb writes anything of its own; `emit` in this
   * transaction with the same key then emits the event that has it. Undoing what was written, once the emit says that
   * it was a duplicate, would undo what else the caller's transaction did meanwhile.
   */
  reserve(options: EmitOptions | undefined): Promise<Reservation>
  /**
   * Refuses what `emit` would refuse of all these events together: with `emit.no_match` the first one whose options say
   * `requireMatch` and that no trigger matches, with `access.forbidden` what a principal delays and an `ordered` trigger handles, with
   * `quota.exceeded` what is over a quota of the app. For a verb that writes
   * something of its own before it emits: call it before that, so that a caller's transaction has nothing of either. Mostly it
   * costs nothing.
   */
  expectMatch(events: readonly EventInput<E>[], options?: readonly (EmitOptions | undefined)[]): Promise<void>
  run<P extends readonly unknown[], Row>(statement: Statement<P, Row>, parameters: P): Promise<Row[]>
  /**
   * Writes into the audit, in this transaction, what a verb changed that administers something, such as a schedule. Not for what the source
   * is there to store: events tell of that.
   */
  audit(change: SourceChange): Promise<void>
  /** All events in one statement, in this transaction. */
  emit(events: readonly EventInput<E>[], options?: readonly EmitOptions[]): Promise<EmitResult[]>
}

/** The change that a verb of the source made. Large values are cut, and no payload belongs here. */
export interface SourceChange {
  /** The audit's `action` and `operation` are `<source>.<verb>`. */
  readonly verb: string
  /** The name or id of what was changed. */
  readonly resource: string
  /** How it was; undefined where it was not there. Where it equals `after` nothing is written. */
  readonly before?: unknown
  readonly after?: unknown
}

/**
 * What many callers write in one statement. Made once, not for each call: callers of the same object go together. Its
 * functions are pure.
 */
export interface SharedWrite<Item> {
  /**
   * Made by `writeStatement`. Core puts the emit of the events into it: one round trip, which commits. In a caller's
   * transaction the statement goes first and the emit after it. So it does where a trigger that matches is `ordered` or
   * a lock is held.
   */
  readonly statement: WriteStatement
  /** Of the statement, for items sorted by app and key. */
  parameters(items: readonly { readonly app: string; readonly item: Item }[]): readonly unknown[]
  /**
   * Members of the trigger event that only the statement knows: it answers with them for each item. What is asked of
   * the source about the event (`keysOf`, `matches`, `content`, `orderingKey`) must not depend on them.
   */
  readonly generated: readonly string[]
}

/** What one call writes and emits: its part of a `SharedWrite`. */
export interface SharedPart<E extends EventSchemas, Item> {
  readonly item: Item
  /** What the item writes, such as a row's address. Two of one app with the same key never share a statement. */
  readonly key: string
  /** With the longest values that `generated` members can have: the event is measured with these. */
  readonly event: EventInput<E>
  readonly options?: EmitOptions | undefined
}

export interface SharedResult {
  readonly emitted: EmitResult
  /** What the statement answered for the item. */
  readonly generated: Readonly<Record<string, unknown>>
}

/** Infers a source's types from its definition; returns it unchanged. */
export function defineSource<
  const Name extends string,
  E extends EventSchemas,
  F extends z.ZodType,
  Api extends object,
  T extends TriggerEvent,
>(source: EventSource<Name, E, F, Api, T>): EventSource<Name, E, F, Api, T> {
  return source
}

// oxlint-disable-next-line typescript/no-explicit-any -- the contract is invariant in its events: only `any` takes every source
export type AnySource = EventSource<string, any, any, any, any>

/** Of several sources the one of that name; where the names are known at run time only, any of them. */
export type SourceNamed<S extends AnySource, Name> = string extends S['name'] ? S : Extract<S, { name: Name }>
