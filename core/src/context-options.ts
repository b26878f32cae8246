/** What `bus.context` takes: who calls, for which app, and how the call came about. */
import { z } from 'zod'
import type { CallScope, Principal } from './context.ts'
import { outermostScope, principalOf } from './context.ts'
import { assertAppId, nameSchema } from './validation/names.ts'
import { parseWith } from './validation/zod-error.ts'

/** A traceparent of version 00 has 55; later versions may say more. */
const MAX_TRACE_CONTEXT_CHARACTERS = 512
/** More than any `maxTriggerDepth`. */
const MAX_DEPTH = 1_001

export interface ContextOptions {
  /** 1 to 128 characters. Default: the bus's `app`, if it has one. */
  readonly app?: string
  /** Who calls; remembered as the registrant of the triggers it creates. Default none. */
  readonly principal?: Principal
  /** W3C `traceparent`, handed on with every row. */
  readonly traceContext?: string
  /**
   * How the call came about, where a plugin carried that from a handler of this or another process (`cx.causality`), so
   * that loops which leave the process are held too. Default: nothing caused it.
   */
  readonly causality?: {
    readonly depth: number
    readonly rootId?: string | undefined
    readonly chain: readonly string[]
  }
}

const causalitySchema = z.strictObject({
  depth: z.int().min(0).max(MAX_DEPTH),
  rootId: z.uuid().optional(),
  chain: z.array(z.uuid()).max(MAX_DEPTH),
})
const contextSchema = z.strictObject({
  app: z.unknown().optional(),
  principal: z
    .strictObject({ id: nameSchema('options.invalid'), roles: z.array(z.string()).optional() })
    // What it may do is asked of the resolver, whatever the caller says.
    .transform(({ id }) => principalOf(id))
    .optional(),
  causality: causalitySchema.optional(),
  traceContext: z
    .string()
    .max(MAX_TRACE_CONTEXT_CHARACTERS)
    .regex(/^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}(-[\x21-\x7e]*)?$/, 'is a W3C traceparent')
    .optional(),
})

export function scopeOf(options: ContextOptions, defaultApp: string | undefined): CallScope {
  const given = parseWith(contextSchema, options, { code: 'options.invalid', what: 'context' })
  const app = given.app === undefined ? defaultApp : given.app
  assertAppId(app)
  const { causality } = given
  return outermostScope(
    app,
    given.principal,
    given.traceContext,
    causality && { ...causality, rootId: causality.rootId },
  )
}
