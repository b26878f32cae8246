/** Who may do what. */
import type { Action, ActionResources, CoreAction, Default } from '../contract/actions.ts'
import { ADMIN } from '../contract/audience.ts'
import type { ResolvedPrincipal } from '../contract/principal.ts'

export interface AccessRequest<A extends Action = Action> {
  readonly app: string
  /** Undefined: the service itself, through a context that names no principal. */
  readonly principal: ResolvedPrincipal | undefined
  /** An action of core, or `<source>.<verb>` of a source. `docs/authorizer.md` has the table. */
  readonly action: A
  /**
   * Whose it is: the registrant of the trigger, of the trigger that a row is of, or the caller of a request. Undefined: the service's,
   * nobody's, or more than one principal's.
   */
  readonly owner: string | undefined
  /** The whole of what it is about. */
  readonly resource: A extends CoreAction ? ActionResources[A] : Readonly<Record<string, unknown>>
  /**
   * The service opened all of it to this principal: the source, the function or other target of the trigger, and the priority. True
   * where none of these is concerned.
   */
  readonly opened: boolean
  /** What the default goes by. */
  readonly allows: Default
}

export interface Authorizer {
  /**
   * Called for each change, of the service as well, and for whatever else a principal does: reads, emits, verbs of sources, and what
   * runs in its name. Called after the principal was resolved; one that was removed or is disabled is refused before. An answer that
   * is a promise costs each emit of a principal its time.
   */
  allows(request: AccessRequest): boolean | Promise<boolean>
}

/** Whether a request is about this action of core. Its `resource` has a type then. */
export function isAbout<A extends CoreAction>(
  request: AccessRequest,
  action: A,
): request is AccessRequest<A> & AccessRequest {
  return request.action === action
}

/**
 * The default. The service itself may do everything, whoever has the role `admin` all but erase the app, and others what is theirs, on
 * what the service opened.
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
