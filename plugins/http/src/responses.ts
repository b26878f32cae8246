/** From a reply to a response. */
import type { ErrorCode, FailureKind, Reply, Verdict } from '@outbus/core'
import { FAILURE_KINDS, OutbusError, reply } from '@outbus/core'
import type { JsonValue } from '@outbus/core'
import { z } from 'zod'

export interface ResponseInit {
  /** 200 to 599. Default 200, or 204 without a body. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** A string is sent as it is, `text/plain` unless `headers` say otherwise; any other JSON as JSON. */
  readonly body?: JsonValue
}

const responseSchema = z.strictObject({
  status: z.int().min(200).max(599).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.custom<JsonValue>(() => true).optional(),
})
const MARK = 'outbus.http.response'
const NO_BODY = new Set([204, 205, 304])

/** What a handler of a route returns: `return respond({ status: 201, headers: { location }, body })`. */
export function respond(response: ResponseInit = {}): Verdict {
  return reply({ [MARK]: response })
}

export interface ResponseOptions {
  /** Whether a caller sees why a handler failed. */
  readonly exposeErrors: boolean
}

export function responseTo(answer: Reply, options: ResponseOptions): Response {
  return answer.ok ? valueResponse(answer.value) : failureResponse(answer, options)
}

function valueResponse(value: JsonValue): Response {
  const marked = typeof value === 'object' && value !== null && !Array.isArray(value) ? value[MARK] : undefined
  if (marked === undefined) return value === null ? new Response(null, { status: 204 }) : Response.json(value)
  const parsed = responseSchema.safeParse(marked)
  if (!parsed.success)
    return errorResponse(500, { code: 'handler_error', message: 'the handler gave a response that is none' })
  const { status, headers, body = null } = parsed.data
  try {
    if (body === null || NO_BODY.has(status ?? 200))
      return new Response(null, { status: status ?? 204, ...init(headers) })
    if (typeof body === 'string') return new Response(body, { status: status ?? 200, ...init(headers) })
    return Response.json(body, { status: status ?? 200, ...init(headers) })
  } catch {
    // A header that no response may have: a line break in it, a name with a blank.
    return errorResponse(500, { code: 'handler_error', message: 'the handler gave a header that is none' })
  }
}

function init(headers: Record<string, string> | undefined): { headers?: Record<string, string> } {
  return headers === undefined ? {} : { headers }
}

function failureResponse(answer: Extract<Reply, { ok: false }>, { exposeErrors }: ResponseOptions): Response {
  const { failure, message, retryAfterMs, requestId } = answer
  const shown = exposeErrors || !HANDLERS_OWN.has(failure) ? message : 'the handler failed'
  const headers =
    retryAfterMs === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) }
  return errorResponse(FAILURE_KINDS[failure].httpStatus, { code: failure, message: shown, requestId }, headers)
}

/** Kinds whose message a handler wrote, for whoever runs it. */
const HANDLERS_OWN: ReadonlySet<FailureKind> = new Set(['handler_error', 'forbidden', 'unavailable', 'payload_invalid'])

const STATUS_OF: Readonly<Record<string, number>> = {
  'payload.too_large': 413,
  'source.failed': 500,
} satisfies Partial<Record<ErrorCode, number>>

/** What may be over in a moment, in words that tell a client nothing of the database behind. */
const UNAVAILABLE: Readonly<Record<string, string>> = {
  'database.unreachable': 'the service cannot reach its database',
  'database.read_only': 'the service cannot write at the moment',
  'emit.outcome_unknown': 'it is not known whether the request was taken',
  'bus.stopped': 'the service is stopping',
} satisfies Partial<Record<ErrorCode, string>>
/** Such as a right or a table that is missing: whoever runs the service is to hear of it, and its client is not. */
const OF_THE_OPERATOR = /^(database|schema|migration)\./

/**
 * Of what was refused before it was an event: the same shape as everywhere, with a status. Undefined where it is the
 * operator's affair.
 */
export function refusalResponse(error: OutbusError<string>): Response | undefined {
  const { code } = error
  const unavailable = UNAVAILABLE[code]
  if (unavailable !== undefined) return errorResponse(503, { code, message: unavailable })
  if (OF_THE_OPERATOR.test(code)) return undefined
  return errorResponse(STATUS_OF[code] ?? 400, error.toJSON())
}

export function errorResponse(status: number, error: object, headers: Record<string, string> = {}): Response {
  return Response.json({ error }, { status, headers })
}
