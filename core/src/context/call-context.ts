/**
 * The call context (`cx`): app, principal, depth, root and trace, with the verbs of core and of every source. Each bus
 * makes one class from its sources, and a source's verbs when they are first used.
 */
import type pg from 'pg'
import type { Logger } from 'pino'
import type { AuditTrail } from '../audit/audit.ts'
import { AuditStore } from '../audit/audit.ts'
import type { MakeChange } from '../audit/auditor.ts'
import { changesOf } from '../audit/auditor.ts'
import type { CallScope, Causality, Principal } from '../contract/scope.ts'
import { emitsFor } from '../contract/scope.ts'
import type { Context, CoreContext } from './core-context.ts'
import type { DeadLetters } from '../dead-letters/dead-letters.ts'
import { DEAD_LETTER_SOURCE } from '../contract/dead-letter.ts'
import { DeadLetterStore } from '../dead-letters/dead-letters.ts'
import { isOutbusError, OutbusError } from '../errors.ts'
import { KEPT } from '../inbox/reply.ts'
import type { Reply } from '../contract/reply.ts'
import type { RequestDesk, Requests } from '../inbox/requests.ts'
import type { RequestOptions, SubmitOptions, SubmittedRequest } from '../contract/request-options.ts'
import { parseSubmitOptions, refuseInTransaction, RequestStore } from '../inbox/requests.ts'
import type { History } from '../history/history.ts'
import { HistoryStore } from '../history/history.ts'
import type { Deliveries } from '../outbox/deliveries.ts'
import { DeliveryStore } from '../outbox/deliveries.ts'
import type { Withdrawals } from '../outbox/withdrawals.ts'
import type { EmitOptions, EmitResult } from '../contract/emit-options.ts'
import type { EmitQueue } from '../outbox/emit-queue.ts'
import type { Emitter } from '../outbox/emitter.ts'
import type { WrittenFor } from '../outbox/written.ts'
import { bothLanes, NO_LANES } from '../outbox/written.ts'
import type { SharedWrites } from '../outbox/shared-writes.ts'
import type { PreparedEvent, PrepareExtras, PrepareLimits } from '../outbox/prepare.ts'
import { pathOfEvent, prepareEvent } from '../outbox/prepare.ts'
import type { Plugins } from '../plugins/plugins.ts'
import type { Quotas } from '../contract/quotas.ts'
import { statedBy } from '../contract/quotas.ts'
import { readQuotas } from '../sql/quotas/app-quotas.ts'
import { scopeAs } from '../principals/act-as.ts'
import type { Access, Question } from '../principals/access.ts'
import type { SourceAction } from '../contract/actions.ts'
import type { Principals } from '../principals/principals.ts'
import { PrincipalStore } from '../principals/principals.ts'
import { StandingSql } from '../principals/standing-sql.ts'
import { inSlices } from '../time/slices.ts'
import type { SetAside } from '../set-aside/set-aside.ts'
import { SetAsideStore } from '../set-aside/set-aside.ts'
import { assertOptionsByPosition, isList } from '../contract/emit-options.ts'
import { emitOptionFacts } from '../outbox/emit-option-facts.ts'
import type {
  AnySource,
  EventInput,
  EventSchemas,
  SharedPart,
  SharedResult,
  SharedWrite,
  SourceContext,
  SourceTransaction,
} from '../contract/source.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { Statement } from '../contract/statement.ts'
import type { Explanation } from '../triggers/explain.ts'
import { explain } from '../triggers/explain.ts'
import type { TriggerDeclaration } from '../triggers/declare.ts'
import { assertDeclarable, declareTrigger } from '../triggers/declare.ts'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import { TriggerRegistry } from '../triggers/registry.ts'
import type { Triggers } from '../triggers/trigger.ts'
import type { DatabaseCalls } from '../postgres/database-calls.ts'
import { elsewhereIfReadOnly } from '../postgres/check-out.ts'
import type { PrepareForSource } from './source-transaction.ts'
import { sourceTransaction } from './source-transaction.ts'
import { guardedVerbs, verbsOf } from '../plugins/verbs.ts'
import { assertTransaction } from '../postgres/transaction-status.ts'

/** What all contexts of a bus share. */
export interface ContextSurroundings {
  readonly sql: Sql
  readonly calls: DatabaseCalls
  /** The `sql` of `calls`: its statements throw only `OutbusError`. */
  readonly callSql: Sql
  readonly pool: pg.Pool
  readonly log: Logger
  readonly plugins: Plugins
  readonly access: Access
  readonly emitter: Emitter
  readonly queue: EmitQueue
  readonly writes: SharedWrites
  readonly requests: RequestDesk
  readonly limits: PrepareLimits
  /** The defaults for an app without its own. */
  readonly quotas: Quotas
  readonly wakeUpChannel: string
  readonly withdrawals: Withdrawals
  logOf(source: string): Logger
  /** Called after a commit of the bus's own that may have written rows. */
  onWritten(lanes: WrittenFor): void
  assertOpen(): void
}

/** Used by the bus alone; no verb of a context. */
export const DECLARE = Symbol('declare')
const VERBS = Symbol('verbs')

export type ContextFactory = (
  scope: CallScope,
  tx?: pg.ClientBase,
) => CoreContext & {
  /**
   * For the verbs of a source, and for a source that acts by itself. `later`: the principal that asked earlier, checked
   * before anything is written.
   */
  sourceContext(source: AnySource, later?: Principal): SourceContext
  /** For `bus.on`. `handling` registers the function once the trigger may be declared, and returns its undo. */
  [DECLARE](declared: TriggerDeclaration, handling: () => () => void): Promise<void>
}

export function contextFactory(around: ContextSurroundings): ContextFactory {
  class BusContext extends BaseContext {
    constructor(scope: CallScope, tx: pg.ClientBase | undefined) {
      super(around, BusContext, scope, tx)
    }
  }
  for (const source of around.plugins.sources.values()) {
    const apis = new WeakMap<BaseContext, object>()
    Object.defineProperty(BusContext.prototype, source.name, {
      enumerable: true,
      get(this: BaseContext) {
        let api = apis.get(this)
        if (api === undefined) apis.set(this, (api = this[VERBS](source)))
        return api
      },
    })
  }
  return (scope, tx) => new BusContext(scope, tx)
}

abstract class BaseContext implements CoreContext {
  readonly #around: ContextSurroundings
  readonly #make: new (scope: CallScope, tx: pg.ClientBase | undefined) => BaseContext
  readonly #scope: CallScope
  readonly #tx: pg.ClientBase | undefined

  constructor(
    around: ContextSurroundings,
    make: new (scope: CallScope, tx: pg.ClientBase | undefined) => BaseContext,
    scope: CallScope,
    tx: pg.ClientBase | undefined,
  ) {
    this.#around =
      scope.boundBy === undefined
        ? around
        : { ...around, callSql: new StandingSql(around.callSql, around.access, scope) }
    this.#make = make
    this.#scope = scope
    this.#tx = tx
  }

  get app(): string {
    return this.#scope.app
  }

  get principal(): Principal | undefined {
    return this.#scope.principal
  }

  get caller(): Principal | undefined {
    return this.#scope.caller
  }

  get depth(): number {
    return this.#scope.depth
  }

  get rootId(): string | undefined {
    return this.#scope.rootId
  }

  get causality(): Causality {
    const { depth, rootId, chain } = this.#scope
    return { depth, rootId, chain }
  }

  get triggers(): Triggers {
    return this.#registry()
  }

  async [DECLARE](declared: TriggerDeclaration, handling: () => () => void): Promise<void> {
    const registry = this.#registry()
    const by = { registrant: this.#scope.principal?.id, log: this.#around.log }
    await assertDeclarable(registry, declared.name, by)
    // Before the trigger, whose rows need the function from the first moment.
    const putBack = handling()
    try {
      await declareTrigger(registry, declared, by)
    } catch (error) {
      putBack()
      throw error
    }
  }

  #registry(): TriggerRegistry {
    const { callSql, plugins, access, quotas } = this.#around
    return new TriggerRegistry({
      sql: callSql,
      plugins,
      on: this.#on(),
      change: this.#change,
      scope: this.#scope,
      access,
      mostTriggers: quotas.triggers,
    })
  }

  /** All administrative writes go through this. */
  get #change(): MakeChange {
    const scope = this.#scope
    if (scope.principal === undefined) return changesOf(scope, (work) => this.#inTransaction(work))
    const { access } = this.#around
    return changesOf(scope, (work) =>
      this.#inTransaction(async (sql, on) => {
        await access.assertStillStands(scope, on)
        return work(sql, on)
      }),
    )
  }

  async #inTransaction<T>(work: (sql: Sql, on: Queryable) => Promise<T>): Promise<T> {
    const { sql, callSql, calls } = this.#around
    if (this.#tx !== undefined) {
      assertTransaction(this.#tx)
      return work(callSql, this.#tx)
    }
    this.#around.assertOpen()
    const inOwn = (tx: pg.PoolClient) => calls.during('writing', tx, () => work(sql, tx))
    return elsewhereIfReadOnly(() => calls.transaction(inOwn))
  }

  get deadLetters(): DeadLetters {
    const { callSql, access, wakeUpChannel, emitter } = this.#around
    return new DeadLetterStore({
      sql: callSql,
      on: this.#on(),
      change: this.#change,
      scope: this.#scope,
      access,
      wakeUpChannel,
      emitter,
    })
  }

  get deliveries(): Deliveries {
    const { callSql, access, withdrawals } = this.#around
    const transactional = this.#tx !== undefined
    return new DeliveryStore({
      sql: callSql,
      on: this.#on(),
      change: this.#change,
      transactional,
      scope: this.#scope,
      access,
      withdrawals,
    })
  }

  get history(): History {
    return new HistoryStore(this.#around.callSql, this.#on(), this.#scope, this.#around.access)
  }

  get principals(): Principals {
    const { callSql, access } = this.#around
    return new PrincipalStore({ sql: callSql, on: this.#on(), change: this.#change, scope: this.#scope, access })
  }

  get audit(): AuditTrail {
    return new AuditStore(this.#around.callSql, this.#on(), this.#scope, this.#around.access)
  }

  get setAside(): SetAside {
    return new SetAsideStore(this.#around.callSql, this.#on(), this.#scope, this.#around.access)
  }

  async emit(source: string, event: unknown, options?: EmitOptions): Promise<EmitResult> {
    const prepared = this.#prepare(source, event, options)
    if (this.#scope.principal !== undefined) await this.#ask('event.emit', prepared)
    const [result] = await this.#emitPrepared([prepared])
    return result as EmitResult
  }

  async emitMany(source: string, events: readonly unknown[], options?: readonly EmitOptions[]): Promise<EmitResult[]> {
    if (!isList(events))
      throw new OutbusError('event.invalid', 'emitMany takes an array of events', { path: 'events', received: events })
    assertOptionsByPosition(events, options)
    const prepared: PreparedEvent[] = []
    // A copy of the list, because others run between its events.
    const more = inSlices(
      events.map((event) => event),
      (event, i) => {
        prepared.push(this.#prepareNumbered(source, event, options?.[i], i))
      },
    )
    if (more !== undefined) await more
    if (this.#scope.principal !== undefined) for (const one of prepared) await this.#ask('event.emit', one)
    return prepared.length === 0 ? [] : this.#emitPrepared(prepared)
  }

  request(source: string, event: unknown, options?: RequestOptions): Promise<Reply> {
    return this.#request(source, event, options)
  }

  submit(source: string, event: unknown, options?: SubmitOptions): Promise<SubmittedRequest | undefined> {
    return this.#submit(source, event, options)
  }

  async isAnswered(source: string, event: unknown): Promise<boolean> {
    return (await this.#answering(source, event)) !== undefined
  }

  async #request(source: string, event: unknown, options?: RequestOptions, by?: 'source'): Promise<Reply> {
    if (this.#scope.boundBy !== undefined) await this.#assertStanding()
    const desk = this.#desk()
    await this.#askToRequest(source, event, by)
    return desk.request((reply) => this.#prepare(source, event, undefined, { reply }), options)
  }

  async #submit(
    source: string,
    event: unknown,
    options?: SubmitOptions,
    by?: 'source',
  ): Promise<SubmittedRequest | undefined> {
    if (this.#scope.boundBy !== undefined) await this.#assertStanding()
    const desk = this.#desk()
    await this.#askToRequest(source, event, by)
    const { onlyTo } = parseSubmitOptions(options)
    if (onlyTo !== undefined) {
      const trigger = await this.#answering(source, event, by)
      if (trigger === undefined || !onlyTo({ name: trigger.name, filter: trigger.filter })) return undefined
    }
    return desk.submit((reply) => this.#prepare(source, event, undefined, { reply }))
  }

  async #answering(source: string, event: unknown, by?: 'source'): Promise<IndexedTrigger | undefined> {
    const prepared = this.#prepare(source, event, undefined, { reply: { replyTo: KEPT, timeoutMs: null } })
    if (this.#scope.principal !== undefined) await this.#ask('event.request', prepared, by)
    const { calls, emitter } = this.#around
    return calls.inCallerOrPool(this.#on(), (on) => emitter.answering(prepared, on))
  }

  async explain(source: string, event: unknown): Promise<Explanation[]> {
    const prepared = this.#prepare(source, event)
    if (this.#scope.principal !== undefined) await this.#ask('event.explain', prepared)
    return explain(this.#registry(), prepared.source, prepared.event)
  }

  get requests(): Requests {
    return new RequestStore(this.#around.callSql, this.#on(), this.#scope, this.#around.access)
  }

  as(principal: Principal | undefined): Context {
    return new this.#make(scopeAs(this.#scope, principal), this.#tx)
  }

  with(tx: pg.ClientBase): Context {
    assertTransaction(tx)
    return new this.#make(this.#scope, tx)
  }

  sourceContext(source: AnySource, later?: Principal): SourceContext {
    const { callSql, calls, access } = this.#around
    const asked: CallScope = later === undefined ? this.#scope : { ...this.#scope, principal: later }
    const assertStanding = async () => {
      if (later !== undefined) await access.askLater(asked, () => this.#on())
      else if (this.#scope.boundBy !== undefined) await this.#assertStanding()
    }
    return {
      app: this.#scope.app,
      principal: this.#scope.principal,
      caller: emitsFor(this.#scope),
      scope: this.#scope,
      log: this.#around.logOf(source.name),
      run: <P extends readonly unknown[], Row>(stated: Statement<P, Row>, parameters: P) =>
        callSql.run(this.#on(), stated, parameters),
      maxEventBytes: this.#around.limits.maxEventBytes,
      quotas: async () => {
        const [row] = await callSql.run(this.#on(), readQuotas, [this.app])
        return { ...this.#around.quotas, ...statedBy(row?.quotas) }
      },
      authorize: (verb, resource, owner) => {
        if (asked.principal === undefined) return undefined
        const question = questionOf(source, verb, resource, owner)
        if (later !== undefined) return access.askLater(asked, () => this.#on(), question)
        return access.ask(asked, () => this.#on(), question)
      },
      reach: (verb, resource) => access.reach(asked, this.#on(), questionOf(source, verb, resource, undefined)),
      check: (event: EventInput<AnySource['events']>, options?: EmitOptions) =>
        void this.#prepare(source.name, event, options),
      emit: async (event: EventInput<AnySource['events']>, options?: EmitOptions) => {
        if (later !== undefined) await assertStanding()
        const [result] = await this.#emitPrepared([this.#prepare(source.name, event, options)])
        return result as EmitResult
      },
      requests: {
        request: (event, options) => this.#request(source.name, event, options, 'source'),
        submit: (event, options) => this.#submit(source.name, event, options, 'source'),
        isAnswered: async (event) => (await this.#answering(source.name, event, 'source')) !== undefined,
      },
      together: async <Item>(
        write: SharedWrite<Item>,
        { item, key, event, options }: SharedPart<EventSchemas, Item>,
      ): Promise<SharedResult> => {
        const { writes } = this.#around
        // Prepared once: the group has this event.
        const prepared = this.#prepare(source.name, event, options, { generated: write.generated })
        if (later !== undefined || this.#scope.boundBy !== undefined) await assertStanding()
        const part = { item, key: `${this.app}\n${key}`, event: prepared, stated: prepared.text }
        const anyWrite = write as SharedWrite<unknown>
        if (this.#tx !== undefined) {
          assertTransaction(this.#tx)
          return writes.within(this.#tx, anyWrite, part)
        }
        this.#around.assertOpen()
        return writes.write(anyWrite, part)
      },
      transaction: async <T>(work: (tx: SourceTransaction) => Promise<T>): Promise<T> => {
        await assertStanding()
        if (this.#tx !== undefined) {
          assertTransaction(this.#tx)
          return work(this.#sourceTransaction(source, this.#tx, 'within'))
        }
        this.#around.assertOpen()
        let lanes = NO_LANES
        const onEmit = (writtenFor: WrittenFor) => {
          lanes = bothLanes(lanes, writtenFor)
        }
        const result = await calls.transaction((tx) => work(this.#sourceTransaction(source, tx, 'writing', onEmit)))
        this.#around.onWritten(lanes)
        return result
      },
    }
  }

  /** For the getter of a source's verbs. The service gets the source's own, at no cost. */
  [VERBS](source: AnySource): object {
    const context = this.sourceContext(source)
    const verbs = verbsOf(source, context)
    if (this.#scope.principal === undefined) return verbs
    return guardedVerbs(source, verbs, (verb) => context.authorize(verb, {}))
  }

  async #askToRequest(source: string, event: unknown, by: 'source' | undefined): Promise<void> {
    if (this.#scope.principal !== undefined) await this.#ask('event.request', this.#prepare(source, event), by)
  }

  /** `by`: the source's own code asks, which alone may emit its `ownOps`. */
  #ask(
    action: 'event.emit' | 'event.request' | 'event.explain',
    { source, event, given, place }: PreparedEvent,
    by?: 'source',
  ): Promise<void> | undefined {
    if (by === undefined && action !== 'event.explain' && source.ownOps?.includes(event.op) === true)
      throw notItsOwn(source.name, event.op, place)
    const resource = {
      source: source.name,
      op: event.op,
      event,
      ...(action === 'event.emit' ? emitOptionFacts(given) : undefined),
    }
    const audiences = [source.verbsFor ?? 'everyone']
    return this.#around.access.ask(this.#scope, () => this.#on(), { action, resource, audiences })
  }

  /** `onEmit` gets the lanes to wake after the commit. After a caller's own commit Postgres notifies them. */
  #sourceTransaction(
    source: AnySource,
    tx: pg.ClientBase,
    stage: 'writing' | 'within',
    onEmit: (writtenFor: WrittenFor) => void = () => undefined,
  ): SourceTransaction {
    const prepare: PrepareForSource = (event, options, i, reservedId) =>
      this.#prepareNumbered(source.name, event, options, i, reservedId)
    return sourceTransaction(this.#around, { scope: this.#scope, source: source.name, tx, prepare, stage, onEmit })
  }

  async #emitPrepared(events: readonly PreparedEvent[]): Promise<EmitResult[]> {
    const { emitter, queue, calls } = this.#around
    const tx = this.#tx
    if (this.#scope.boundBy !== undefined) await this.#assertStanding()
    if (tx === undefined) {
      this.#around.assertOpen()
      return queue.emit(events)
    }
    assertTransaction(tx)
    const { results } = await calls.during('within', tx, () => emitter.write(events, tx, { transactional: true }))
    return results
  }

  /** A context that acts for somebody stops once that one is gone. */
  #assertStanding(): Promise<void> {
    return this.#around.access.assertStanding(this.#scope, this.#on())
  }

  #desk(): RequestDesk {
    if (this.#tx !== undefined) refuseInTransaction()
    this.#around.assertOpen()
    return this.#around.requests
  }

  #on(): Queryable {
    if (this.#tx === undefined) {
      this.#around.assertOpen()
      return this.#around.pool
    }
    assertTransaction(this.#tx)
    return this.#tx
  }

  #prepare(source: string, event: unknown, options?: EmitOptions, extras?: PrepareExtras): PreparedEvent {
    if (source === DEAD_LETTER_SOURCE) {
      throw new OutbusError('dead_letter.emit_forbidden', 'only the bus emits dead letters', { path: 'source' })
    }
    return prepareEvent(this.#around.plugins, this.#around.limits, this.#scope, source, event, options, extras)
  }

  /** Says which event of a batch was refused. */
  #prepareNumbered(
    source: string,
    event: unknown,
    options: EmitOptions | undefined,
    i: number,
    reservedId?: string,
  ): PreparedEvent {
    try {
      return this.#prepare(source, event, options, { reservedId, place: i })
    } catch (error) {
      if (!isOutbusError(error)) throw error
      throw error.under(pathOfEvent(i))
    }
  }
}

function notItsOwn(source: string, op: string, place: number | undefined): OutbusError {
  const message = `an event ${source}.${op} says what the source itself saw: no principal emits or requests one`
  return new OutbusError('access.forbidden', message, {
    path: place === undefined ? 'op' : `${pathOfEvent(place)}.op`,
    received: op,
    hint: 'the source emits it by itself, and the service may emit it: bus.context({ app })',
  })
}

function questionOf(
  source: AnySource,
  verb: string,
  resource: Readonly<Record<string, unknown>>,
  owner: string | null | undefined,
): Question<SourceAction> {
  const declared = source.actions?.[verb]
  return {
    action: `${source.name}.${verb}` as const,
    resource,
    owner,
    audiences: [source.verbsFor ?? 'everyone'],
    allows: (declared === 'free' ? undefined : declared?.allows) ?? 'open',
  }
}
