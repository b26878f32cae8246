/** `cx.as`: the same context for somebody else, never with more rights. Pure. */
import { z } from 'zod'
import type { CallScope, Principal } from '../contract/scope.ts'
import { principalOf, UNKNOWN_CALLER } from '../contract/scope.ts'
import { OutbusError } from '../errors.ts'
import { principalIdSchema } from '../validation/names.ts'
import { parseWith } from '../validation/zod-error.ts'

const principalSchema = z.strictObject({ id: principalIdSchema(), roles: z.array(z.string()).optional() })

/**
 * Acts for `given`, with the rights that both have, and attributes to it what is emitted. docs/callers.md has the
 * rules. A principal may not act for others, because its emits would be taken for theirs. Undefined is refused where
 * somebody else called, because it may have been meant to name somebody.
 */
export function scopeAs(scope: CallScope, given: Principal | undefined): CallScope {
  const { principal, caller, boundBy = [] } = scope
  if (given === undefined) {
    if (caller === undefined) return scope
    throw refused('as(undefined) would be the service, and somebody else called', given, 'cx.as(cx.caller)')
  }
  if ((given as Partial<Principal> | null)?.id === UNKNOWN_CALLER)
    throw refused('nobody has said who the caller is: an older process or another program wrote the row', given)
  const { id } = parseWith(principalSchema, given, { code: 'options.invalid', what: 'as', path: 'principal' })
  const own = [...(principal === undefined ? [] : [principal]), ...boundBy]
  if (principal !== undefined && caller?.id !== id && own.every((one) => one.id !== id))
    throw refused(
      `principal ${JSON.stringify(principal.id)} may act for itself and for its caller, and not for ${JSON.stringify(id)}`,
      given,
    )
  const next = principalOf(id)
  return { ...scope, principal: next, caller: next, boundBy: own.filter((one) => one.id !== id) }
}

function refused(message: string, received: unknown, hint?: string): OutbusError {
  return new OutbusError('access.forbidden', message, {
    path: 'principal',
    received,
    ...(hint === undefined ? {} : { hint }),
  })
}
