/** Who may do what. */
import type { Action, ActionResources, CoreAction, Default } from '../contract/actions.ts'
import { ADMIN } from '../contract/audience.ts'
import type { ResolvedPrincipal } from '../contract/principal.ts'

export interface AccessRequest<A extends Action = Action> {
  readonly app: string
  /** Undefined: the service, through a context that names no principal. */
  readonly principal: ResolvedPrincipal | undefined
  /** An action of core, or a source's `<source>.<verb>`. `docs/authorizer.md` has the table. */
  readonly action: A
  /**
   * The registrant of the trigger, or of a row's trigger, or the caller of a request. Undefined if it is the service's,
   * nobody's, or belongs to several principals.
   */
  readonly owner: string | undefined
  /** Everything that the action is about. */
  readonly resource: A extends CoreAction ? ActionResources[A] : Readonly<Record<string, unknown>>
  /** Whether the service opened everything concerned to this principal: source, target and priority. */
  readonly opened: boolean
  /** The default rule for this action. */
  readonly allows: Default
}

export interface Authorizer {
  /**
   * Called for each change, also of the service. Called for all else that a principal does: reads, emits, verbs of
   * sources, and what runs in its name. The principal is resolved before, and refused if removed or disabled. A promise
   * adds its time to each emit of a principal.
   */
  allows(request: AccessRequest): boolean | Promise<boolean>
}

/** Whether a request is about this action of core, which types its `resource`. */
export function isAbout<A extends CoreAction>(
  request: AccessRequest,
  action: A,
): request is AccessRequest<A> & AccessRequest {
  return request.action === action
}

/**
 * The default. The service may do everything. Whoever has the role `admin` may do everything but erase the app. Others
 * may do what is theirs, on what the service opened.
 */
export const ownerAndAdmin: Authorizer = {
  allows: ({ principal, owner, opened, allows }) => {
    if (principal === undefined) return true
    if (principal.roles.includes(ADMIN)) return allows !== 'service'
    const isOwn = owner !== undefined && owner === principal.id
    switch (allows) {
      case 'open':
        return opened
      case 'own':
        return isOwn
      case 'own and open':
        return isOwn && opened
      case 'administrators':
      case 'service':
        return false
    }
  },
}
