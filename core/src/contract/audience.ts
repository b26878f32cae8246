/** To whom the service opens something. Pure. */
import { z } from 'zod'
import type { ResolvedPrincipal } from './principal.ts'
import { principalIdSchema, nameSchema } from '../validation/names.ts'
import { parseWith } from '../validation/zod-error.ts'

/**
 * The service and whoever has the role `admin` belong to every audience. Beside them: nobody (`service`), every principal of the app
 * (`everyone`), or those that a list names, by a role that they have (`'editor'`) or one by one (`{ principal: 'u_42' }`).
 */
export type Audience = 'service' | 'everyone' | readonly (string | { readonly principal: string })[]

export const ADMIN = 'admin'
const MAX_MEMBERS = 1_000

export function audienceSchema() {
  return z.union([
    z.literal(['service', 'everyone']),
    z
      .array(z.union([nameSchema('options.invalid'), z.strictObject({ principal: principalIdSchema() })]))
      .min(1)
      .max(MAX_MEMBERS),
  ])
}

/** What sources take as options: for whom their verbs are, and their triggers. */
export interface SourceAudiences {
  /** Who, beside the service and administrators, may call the verbs, and emit and request its events. Default everyone. */
  readonly verbsFor?: Audience
  /** Who, beside the service and administrators, may register triggers on it. Default everyone. */
  readonly triggersFor?: Audience
}

const audiencesSchema = z.strictObject({
  verbsFor: audienceSchema().exactOptional(),
  triggersFor: audienceSchema().exactOptional(),
})

/** Reads {@link SourceAudiences}, for the factory of a source. */
export function readAudiences(options: SourceAudiences, what: string): SourceAudiences {
  return parseWith(audiencesSchema, options, { code: 'options.invalid', what })
}

/** Whether `audience` is open to a principal. */
export function admits(audience: Audience, principal: ResolvedPrincipal): boolean {
  if (principal.roles.includes(ADMIN)) return true
  if (typeof audience === 'string') return audience === 'everyone'
  return audience.some((member) =>
    typeof member === 'string' ? principal.roles.includes(member) : member.principal === principal.id,
  )
}
