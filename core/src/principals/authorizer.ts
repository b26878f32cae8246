/** Who may change what. */
import type { ResolvedPrincipal } from './resolver.ts'

export type Action =
  | 'trigger.create'
  | 'trigger.update'
  | 'trigger.delete'
  | 'trigger.pause'
  /** To declare, or to change, a trigger that runs as its caller: what it does is done in the name of others. */
  | 'trigger.run_as_caller'
  | 'delivery.cancel'
  | 'dead_letter.replay'
  | 'dead_letter.discard'
  | 'principal.change'
  /** `bus.apps.erase`, of which the default allows no principal. */
  | 'app.erase'

export interface AccessRequest {
  readonly app: string
  /** Undefined: the service itself, through a context that names no principal. */
  readonly principal: ResolvedPrincipal | undefined
  readonly action: Action
  /** The registrant of the trigger that this is about. Undefined: nobody's, or more than one principal's. */
  readonly owner: string | undefined
}

export interface Authorizer {
  /** Called for each change, after the principal was resolved; one that is gone or disabled is refused before. */
  allows(request: AccessRequest): boolean | Promise<boolean>
}

/** The default: the service itself may do everything, whoever has the role `admin` too, and others what is their own. An app is erased by the service alone. */
export const ownerAndAdmin: Authorizer = {
  allows: ({ principal, action, owner }) =>
    principal === undefined ||
    (action !== 'app.erase' && (principal.roles.includes('admin') || principal.id === owner)),
}
