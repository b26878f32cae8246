import type { DeliveryFailure } from '../../contract/delivery-failure.ts'
import type { Principal } from '../../contract/scope.ts'

/**
 * The principal of an execution, or why it does not run. `boundBy`: principals who must be allowed the same.
 * `unresolved`: the bus's own query failed, and nobody is charged (G16).
 */
export type RunsAs =
  | { readonly principal: Principal | undefined; readonly boundBy?: readonly Principal[] }
  | { readonly problem: DeliveryFailure }
  | { readonly unresolved: unknown }
