/** What `bus.context` takes: who calls, for which app, and what caused the call. */
import { z } from 'zod'
import type { CallScope, Principal } from '../contract/scope.ts'
import { outermostScope, principalOf } from '../contract/scope.ts'
import { OutbusError } from '../errors.ts'
import { boundedOrigin, MAX_ORIGIN_CHARACTERS } from '../audit/bounded.ts'
import { assertAppId, principalIdSchema } from '../validation/names.ts'
import { parseWith, reading } from '../validation/zod-error.ts'

/** Version 00 has 55; later ones may be longer. */
const MAX_TRACE_CONTEXT_CHARACTERS = 512
/** More than any `maxTriggerDepth`. */
const MAX_DEPTH = 1_001

export interface ContextOptions {
  /** 1 to 128 characters. Default: the bus's `app`, if it has one. */
  readonly app?: string
  /**
   * Who calls, and becomes the registrant of the triggers it creates. Without this key the context is the service
   * itself. Undefined or null is refused (`context.principal`): nobody becomes the service by accident.
   */
  readonly principal?: Principal
  /** W3C `traceparent`, handed on with every row. */
  readonly traceContext?: string
  /**
   * Where the call comes from, such as `admin page, 192.0.2.7`: kept with each change in the audit. 1 to 256
   * characters.
   */
  readonly origin?: string
  /**
   * What caused the call, if a plugin carried that from a handler (`cx.causality`), of this or another process. So
   * loops that leave the process end too. Default: nothing.
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
    .strictObject({ id: principalIdSchema(), roles: z.array(z.string()).optional() })
    // The resolver knows its rights, whatever the caller says.
    .transform(({ id }) => principalOf(id))
    .exactOptional(),
  causality: causalitySchema.exactOptional(),
  traceContext: z
    .string()
    .max(MAX_TRACE_CONTEXT_CHARACTERS)
    .regex(/^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}(-[\x21-\x7e]*)?$/, 'is a W3C traceparent')
    .exactOptional(),
  origin: z.string().min(1).max(MAX_ORIGIN_CHARACTERS).exactOptional(),
})

const SUBJECT = { code: 'options.invalid', what: 'context' } as const

export function scopeOf(options: ContextOptions, defaultApp: string | undefined): CallScope {
  assertNamesSomebody(options)
  const given = parseWith(contextSchema, options, SUBJECT)
  const app = 'app' in given ? given.app : defaultApp
  assertAppId(app)
  const { causality, origin } = given
  const scope = outermostScope(
    app,
    given.principal,
    given.traceContext,
    causality && { ...causality, rootId: causality.rootId },
  )
  return origin === undefined ? scope : { ...scope, origin: boundedOrigin(origin) }
}

/** No key at all means the service. A key without a value has lost somebody on the way. */
function assertNamesSomebody(options: unknown): void {
  const isNobody = reading(SUBJECT, () => {
    if (options === undefined) return true
    if (typeof options !== 'object' || options === null || !('principal' in options)) return false
    return options.principal === undefined || options.principal === null
  })
  if (isNobody) throw namesNobody()
}

function namesNobody(): OutbusError {
  return new OutbusError('context.principal', 'a context names its principal, or has no such key', {
    path: 'principal',
    hint: 'leave the key out to be the service itself',
  })
}
