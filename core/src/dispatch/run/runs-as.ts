import type { DeliveryFailure } from '../../contract/delivery-failure.ts'
import type { Principal } from '../../contract/scope.ts'

/**
 * The principal of an execution, or why there is none and it does not run. `boundBy`: who else has to be allowed what it does.
 * `unresolved`: the bus's own query failed, so that the delivery is put back, and nobody is charged (G16).
 */
export type RunsAs =
  | { readonly principal: Principal | undefined; readonly boundBy?: readonly Principal[] }
  | { readonly problem: DeliveryFailure }
  | { readonly unresolved: unknown }
