/**
 * The one place where something is allowed or refused. Every verb asks here.
 *
 *   assert, reach   For changes and listings. The principal is resolved for each call.
 *   ask             For emits and verbs of sources. The service is never asked. A principal is resolved once a second.
 *   askLater        As `ask`, for what a source does later on a principal's behalf. The wait is bounded.
 */
import { performance } from '../time/clock.ts'
import type { CallScope } from '../contract/scope.ts'
import { OutbusError } from '../errors.ts'
import { isPool } from '../postgres/check-out.ts'
import type { Priority } from '../validation/priority.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { isThenable } from '../validation/kinds.ts'
import type { Action, ActionResources, CoreAction, Default } from '../contract/actions.ts'
import { CORE_ACTIONS } from '../contract/actions.ts'
import type { Audience } from '../contract/audience.ts'
import { admits } from '../contract/audience.ts'
import type { AccessRequest, Authorizer } from './authorizer.ts'
import { aboutPrincipal, AnswersInTime } from './in-time.ts'
import type { PrincipalResolver } from './resolver.ts'
import type { ResolvedPrincipal } from '../contract/principal.ts'

export interface Question<A extends Action = Action> {
  readonly action: A
  readonly resource: A extends CoreAction ? ActionResources[A] : Readonly<Record<string, unknown>>
  readonly owner?: string | null | undefined
  /** To whom the service opened what this is about. Default: everyone. */
  readonly audiences?: readonly Audience[]
  /** The default rule for a source's verb. Core's actions have theirs in a table. */
  readonly allows?: Default
}

/** How long a resolved principal answers for emits and verbs. */
const KNOWN_FOR_MS = 1_000
const MAX_KNOWN = 10_000
/** How long a source that acts by itself waits for one principal's answer, and with it its work for other apps. */
const LATER_MS = 2_000
/** How long an app is not asked again after its resolver or authorizer did not answer. */
const SILENT_FOR_MS = 10_000

export interface AccessOptions {
  readonly resolver: PrincipalResolver
  readonly authorizer: Authorizer
  readonly priorities: Readonly<Record<Priority, Audience>>
}

export class Access {
  readonly #resolver: PrincipalResolver
  readonly #authorizer: Authorizer
  readonly #priorities: Readonly<Record<Priority, Audience>>
  readonly #known = new Map<string, { readonly principal: ResolvedPrincipal; readonly until: number }>()
  /** By app, because its principals share a resolver, and a source works for all apps. */
  readonly #later = new AnswersInTime({ withinMs: LATER_MS, notAskedForMs: SILENT_FOR_MS })

  constructor({ resolver, authorizer, priorities }: AccessOptions) {
    this.#resolver = resolver
    this.#authorizer = authorizer
    this.#priorities = priorities
  }

  /**
   * Throws `access.forbidden` unless all for whom `scope` acts may do this. The service is asked where the table of
   * actions says so.
   */
  async assert<A extends Action>(scope: CallScope, on: Queryable, question: Question<A>): Promise<void> {
    if (this.#asksNobody(scope, question.action)) return
    await this.#answer(scope, await this.#resolve(scope, on, question.action), question)
  }

  /** Throws `access.forbidden` if anybody for whom the scope acts is unknown or disabled. */
  async assertStanding(scope: CallScope, on: Queryable): Promise<void> {
    await this.#resolve(scope, on, undefined)
  }

  /**
   * Called in the changing transaction, since {@link assert} may have taken long. Throws `access.forbidden` if a
   * principal of the scope was removed or disabled meanwhile. An unknown one passes, as {@link assert} decided.
   */
  async assertStillStands(scope: CallScope, on: Queryable): Promise<void> {
    await this.#resolve(scope, on, 'trigger.create')
  }

  /** Called in the registering transaction, after {@link assert}: from then on the principal is known. */
  async register({ app, principal }: CallScope, on: Queryable): Promise<void> {
    if (principal !== undefined) await this.#resolver.register?.({ principal: { app, id: principal.id }, on })
  }

  /** How far a listing reaches: undefined for everybody's, otherwise the principal whose own is meant. */
  async reach<A extends Action>(scope: CallScope, on: Queryable, question: Question<A>): Promise<string | undefined> {
    if (this.#asksNobody(scope, question.action)) return undefined
    let reach: string | undefined
    for (const principal of await this.#resolve(scope, on, question.action)) {
      if (await this.#decide(scope, principal, question)) continue
      const own = { ...question, owner: principal?.id }
      const isOwn = principal !== undefined && (await this.#decide(scope, principal, own))
      // Two who each reach only their own have nothing in common.
      if (!isOwn || (reach !== undefined && reach !== principal.id)) throw this.#forbidden(principal, question)
      reach = principal.id
    }
    return reach
  }

  /** As {@link assert}, for frequent calls. Undefined if the answer was at hand, as always for the service. */
  ask<A extends Action>(scope: CallScope, on: () => Queryable, question: Question<A>): Promise<void> | undefined {
    if (scope.principal === undefined) return undefined
    const known = this.#recall(scope)
    if (known === undefined)
      return this.#resolve(scope, on(), question.action).then((resolved) => this.#answer(scope, resolved, question))
    return this.#answer(scope, [assertActive(known)], question)
  }

  /**
   * For what a source does only now, although the principal of `scope` asked earlier. Throws `access.forbidden` if that
   * principal was removed or disabled meanwhile, or may not do `question`. Any other error means that there was no
   * answer in time.
   */
  async askLater(scope: CallScope, on: () => Queryable, question?: Question): Promise<void> {
    const { app, principal } = scope
    if (principal === undefined) return
    const { whom } = aboutPrincipal({ app, id: principal.id })
    await this.#later.about({ key: app, whom }, () =>
      question === undefined ? this.#stands(scope, on) : this.ask(scope, on, question),
    )
  }

  async #stands(scope: CallScope, on: () => Queryable): Promise<void> {
    const known = this.#recall(scope)
    if (known === undefined) await this.#resolve(scope, on(), 'event.emit')
    else assertActive(known)
  }

  #recall({ app, principal, boundBy }: CallScope): ResolvedPrincipal | undefined {
    // Whoever acts for somebody is resolved each time.
    if (principal === undefined || boundBy !== undefined) return undefined
    const known = this.#known.get(keyOf(app, principal.id))
    return known === undefined || known.until < performance.now() ? undefined : known.principal
  }

  /** Whether this may run in the name of the principal that was resolved for a delivery. */
  mayRun<A extends Action>(
    app: string,
    principal: ResolvedPrincipal,
    question: Question<A>,
  ): boolean | Promise<boolean> {
    return this.#decide({ app }, principal, question)
  }

  /** Called when a principal was changed here. */
  forget(app: string, id: string): void {
    this.#known.delete(keyOf(app, id))
  }

  #asksNobody({ principal }: CallScope, action: Action): boolean {
    return principal === undefined && !asksEverybody(action)
  }

  #answer(
    scope: CallScope,
    principals: readonly (ResolvedPrincipal | undefined)[],
    question: Question,
  ): Promise<void> | undefined {
    for (const [i, principal] of principals.entries()) {
      const allowed = this.#decide(scope, principal, question)
      if (typeof allowed !== 'boolean')
        return allowed.then((isAllowed) => {
          if (!isAllowed) throw this.#forbidden(principal, question)
          return this.#answer(scope, principals.slice(i + 1), question)
        })
      if (!allowed) throw this.#forbidden(principal, question)
    }
    return undefined
  }

  /** All whose rights count; undefined is the service. */
  async #resolve(
    scope: CallScope,
    on: Queryable,
    action: Action | undefined,
  ): Promise<readonly (ResolvedPrincipal | undefined)[]> {
    const { app, principal, boundBy = [] } = scope
    if (principal === undefined) return [undefined]
    const ids = [principal, ...boundBy].map(({ id }) => id)
    const known = await this.#resolver.resolve({ principals: ids.map((id) => ({ app, id })), on })
    return ids.map((id, i) => {
      const resolved = known[i] ?? this.#newcomer(scope, id, action)
      if (resolved === undefined) throw refused(`principal ${JSON.stringify(id)} is not known`, id)
      // What a transaction has not committed is not for others.
      if (isPool(on)) this.#keep(app, resolved)
      return assertActive(resolved)
    })
  }

  /**
   * A principal without roles, for one that is unknown and that a trigger would make known. It may change only what it
   * registers. Somebody acted for has to be known.
   */
  #newcomer({ boundBy }: CallScope, id: string, action: Action | undefined): ResolvedPrincipal | undefined {
    if (action === undefined || boundBy !== undefined || this.#resolver.register === undefined) return undefined
    const isChange = asksEverybody(action) && action !== 'trigger.create'
    return isChange ? undefined : { id, roles: [], disabled: false }
  }

  #keep(app: string, principal: ResolvedPrincipal): void {
    const key = keyOf(app, principal.id)
    this.#known.delete(key)
    this.#known.set(key, { principal, until: performance.now() + KNOWN_FOR_MS })
    if (this.#known.size > MAX_KNOWN) this.#known.delete(this.#known.keys().next().value as string)
  }

  #decide(
    { app }: Pick<CallScope, 'app'>,
    principal: ResolvedPrincipal | undefined,
    question: Question,
  ): boolean | Promise<boolean> {
    const { action, resource, owner } = question
    const request: AccessRequest = {
      app,
      principal,
      action,
      owner: owner ?? undefined,
      resource,
      opened: this.#opens(principal, question),
      allows: question.allows ?? defaultOf(action),
    }
    // Only `true` allows: an authorizer that forgets to answer refuses.
    const allowed: unknown = this.#authorizer.allows(request)
    return isThenable(allowed) ? Promise.resolve(allowed).then((answer) => answer === true) : allowed === true
  }

  #opens(principal: ResolvedPrincipal | undefined, { audiences, resource }: Question): boolean {
    if (principal === undefined) return true
    const { priority } = resource as { readonly priority?: unknown }
    const isPriority = typeof priority === 'string' && Object.hasOwn(this.#priorities, priority)
    if (isPriority && !admits(this.#priorities[priority as Priority], principal)) return false
    return audiences === undefined || audiences.every((audience) => admits(audience, principal))
  }

  #forbidden(principal: ResolvedPrincipal | undefined, question: Question): OutbusError {
    const { action } = question
    const whom = principal === undefined ? 'the service' : `principal ${JSON.stringify(principal.id)}`
    const hint = this.#opens(principal, question) ? undefined : CLOSED
    return refused(`${whom} may not do this: ${action}`, action, hint)
  }

  audienceOf(priority: Priority): Audience {
    return this.#priorities[priority]
  }
}

function keyOf(app: string, id: string): string {
  return `${app}\n${id}`
}

function isCore(action: Action): action is CoreAction {
  return Object.hasOwn(CORE_ACTIONS, action)
}

function asksEverybody(action: Action): boolean {
  return isCore(action) && CORE_ACTIONS[action].of === 'everybody'
}

function defaultOf(action: Action): Default {
  return isCore(action) ? CORE_ACTIONS[action].allows : 'open'
}

function assertActive(principal: ResolvedPrincipal): ResolvedPrincipal {
  const { id, removed, disabled } = principal
  if (removed === true) throw refused(`principal ${JSON.stringify(id)} was removed`, id)
  if (disabled) throw refused(`principal ${JSON.stringify(id)} is disabled`, id)
  return principal
}

const CLOSED = 'the service has not opened it to this principal: see triggerableBy, triggersFor and priorities'

function refused(message: string, received: string, hint?: string): OutbusError {
  return new OutbusError('access.forbidden', message, {
    path: 'principal',
    received,
    ...(hint === undefined ? {} : { hint }),
  })
}
