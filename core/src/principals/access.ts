/** The one place where changes are allowed or refused. */
import type { CallScope } from '../context.ts'
import { OutbusError } from '../errors.ts'
import type { Queryable } from '../sql/statement.ts'
import type { Action, Authorizer } from './authorizer.ts'
import type { PrincipalResolver, ResolvedPrincipal } from './resolver.ts'

export class Access {
  readonly #resolver: PrincipalResolver
  readonly #authorizer: Authorizer

  constructor(resolver: PrincipalResolver, authorizer: Authorizer) {
    this.#resolver = resolver
    this.#authorizer = authorizer
  }

  /** `access.forbidden`, unless the principal of `scope` may do this to what `owner` registered. */
  async assert(scope: CallScope, on: Queryable, action: Action, owner: string | null | undefined): Promise<void> {
    for (const principal of await this.#resolve(scope, on)) {
      if (await this.#allows(scope, principal, action, owner ?? undefined)) continue
      throw forbidden(`principal ${JSON.stringify(principal?.id)} may not do this: ${action}`, action)
    }
  }

  /** `access.forbidden`, where somebody whom the scope acts for is not known or is disabled. */
  async assertStanding(scope: CallScope, on: Queryable): Promise<void> {
    await this.#resolve(scope, on)
  }

  /** Before a trigger is registered. Writes nothing: whoever is refused is no better known than before. */
  async assertRegistrant(scope: CallScope, on: Queryable): Promise<void> {
    const owner = scope.principal?.id
    for (const principal of await this.#resolve(scope, on, this.#newcomer(scope))) {
      if (await this.#allows(scope, principal, 'trigger.create', owner)) continue
      throw forbidden(`principal ${JSON.stringify(principal?.id)} may not do this: trigger.create`, 'trigger.create')
    }
  }

  /** In the transaction that registers a trigger, after {@link assertRegistrant}: whoever registers one is known from then on. */
  async register({ app, principal }: CallScope, on: Queryable): Promise<void> {
    if (principal !== undefined) await this.#resolver.register?.({ app, id: principal.id }, on)
  }

  /** What a principal is that nobody knows yet, where a trigger makes it known: one without any roles. Somebody acted for is known. */
  #newcomer({ principal, boundBy }: CallScope): ResolvedPrincipal | undefined {
    if (principal === undefined || boundBy !== undefined || this.#resolver.register === undefined) return undefined
    return { id: principal.id, roles: [], disabled: false }
  }

  /** How far a change of many reaches: undefined for everybody's, else the registrant whose letters are meant. */
  async reach(scope: CallScope, on: Queryable, action: Action): Promise<string | undefined> {
    let reach: string | undefined
    for (const principal of await this.#resolve(scope, on)) {
      if (await this.#allows(scope, principal, action, undefined)) continue
      const isOwn = principal !== undefined && (await this.#allows(scope, principal, action, principal.id))
      // Of two who reach their own alone there is nothing that both do.
      if (!isOwn || (reach !== undefined && reach !== principal.id))
        throw forbidden(`principal ${JSON.stringify(principal?.id)} may not do this: ${action}`, action)
      reach = principal.id
    }
    return reach
  }

  /** All whose rights count; undefined is the service. `unknown`: what the first one is where nobody knows it. */
  async #resolve(
    { app, principal, boundBy = [] }: CallScope,
    on: Queryable,
    unknown?: ResolvedPrincipal,
  ): Promise<readonly (ResolvedPrincipal | undefined)[]> {
    if (principal === undefined) return [undefined]
    const ids = [principal, ...boundBy].map(({ id }) => id)
    const known = await this.#resolver.resolve(
      ids.map((id) => ({ app, id })),
      on,
    )
    return ids.map((id, i) => {
      const resolved = known[i] ?? (i === 0 ? unknown : undefined)
      if (resolved?.removed === true) throw forbidden(`principal ${JSON.stringify(id)} was removed`, id)
      if (resolved === undefined) throw forbidden(`principal ${JSON.stringify(id)} is not known`, id)
      if (resolved.disabled) throw forbidden(`principal ${JSON.stringify(id)} is disabled`, id)
      return resolved
    })
  }

  async #allows(
    { app }: CallScope,
    principal: ResolvedPrincipal | undefined,
    action: Action,
    owner: string | undefined,
  ): Promise<boolean> {
    // `true` and nothing else: an authorizer that forgets to answer refuses.
    const allowed: unknown = await this.#authorizer.allows({ app, principal, action, owner })
    return allowed === true
  }
}

function forbidden(message: string, received: string): OutbusError {
  return new OutbusError('access.forbidden', message, { path: 'principal', received })
}
