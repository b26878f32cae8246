/** From a reply to a response. */
import { FAILURE_KINDS, OutbusError, reply } from '@outbus/core'
import type { ErrorCode, FailureKind, Reply, Verdict } from '@outbus/core'
import { parseWith } from '@outbus/core/plugin'
import type { JsonValue } from '@outbus/core/plugin'
import { z } from 'zod'
import type { HeaderValues } from './response-headers.ts'
import { headerProblem, responseHeaders } from './response-headers.ts'

export interface ResponseInit {
  /** 200 to 599. Default 200, or 204 without a body. */
  readonly status?: number
  /**
   * A list sends the header once for each, as `set-cookie` needs it. Not those of the connection and of framing (`content-length`,
   * `transfer-encoding`, `connection`, `upgrade`, `trailer`, `te`, `keep-alive`, `proxy-…`), and no CR, LF or NUL.
   * Default `x-content-type-options: nosniff`.
   */
  readonly headers?: HeaderValues
  /** A string is sent as it is, `text/plain` unless `headers` say otherwise; any other JSON as JSON. */
  readonly body?: JsonValue
}

const headersSchema = z
  .record(z.string(), z.union([z.string(), z.array(z.string())]))
  .superRefine((headers, context) => {
    const names = new Set<string>()
    for (const [name, values] of Object.entries(headers)) {
      const problems = [values].flat().map((value) => headerProblem(name, value))
      const problem = names.has(name.toLowerCase()) ? 'is there twice' : problems.find((each) => each !== undefined)
      names.add(name.toLowerCase())
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem, path: [name], input: values })
    }
  })
const responseSchema = z.strictObject({
  status: z.int().min(200).max(599).optional(),
  headers: headersSchema.optional(),
  body: z.custom<JsonValue>(() => true).optional(),
})
/** What `reply` says beside the value: a value alone, wherever it came from, is never a response (G20). */
const KIND = 'http.response'
/** Where the response stands in the value. Listeners of before the kind went by this member, and still find it. */
const MEMBER = 'outbus.http.response'
const NO_BODY = new Set([204, 205, 304])

/**
 * What a handler of a route returns: `return respond({ status: 201, headers: { location }, body })`. Throws an
 * `options.invalid` for a status, a header or a member that no response may have: in a handler, a failure like any other.
 */
export function respond(response: ResponseInit = {}): Verdict {
  parseWith(responseSchema, response, { code: 'options.invalid', what: 'respond' })
  return reply({ [MEMBER]: response }, { as: KIND })
}

export interface ResponseOptions {
  /** Whether a caller sees why a handler failed. */
  readonly exposeErrors: boolean
}

export function responseTo(answer: Reply, options: ResponseOptions): Response {
  if (!answer.ok) return failureResponse(answer, options)
  return answer.as === KIND ? madeResponse(answer.value) : valueResponse(answer.value)
}

function valueResponse(value: JsonValue): Response {
  const headers = responseHeaders()
  return value === null ? new Response(null, { status: 204, headers }) : Response.json(value, { headers })
}

/** Checked again: another process made it, maybe of another version, or somebody who did it by hand. */
function madeResponse(value: JsonValue): Response {
  const made = typeof value === 'object' && value !== null && !Array.isArray(value) ? value[MEMBER] : undefined
  const parsed = responseSchema.safeParse(made)
  if (!parsed.success)
    return errorResponse(500, { code: 'handler_error', message: 'the handler gave a response that is none' })
  const { status, body = null } = parsed.data
  const headers = responseHeaders(parsed.data.headers)
  if (body === null || NO_BODY.has(status ?? 200)) return new Response(null, { status: status ?? 204, headers })
  if (typeof body === 'string') return new Response(body, { status: status ?? 200, headers })
  return Response.json(body, { status: status ?? 200, headers })
}

function failureResponse(answer: Extract<Reply, { ok: false }>, { exposeErrors }: ResponseOptions): Response {
  const { failure, message, retryAfterMs, requestId } = answer
  const shown = exposeErrors || !HANDLERS_OWN.has(failure) ? message : 'the handler failed'
  // A process of a later version may know kinds of failure that this one does not.
  const status = (FAILURE_KINDS as Partial<typeof FAILURE_KINDS>)[failure]?.httpStatus ?? 500
  return errorResponse(status, { code: failure, message: shown, requestId }, retryAfter(retryAfterMs))
}

export function retryAfter(ms: number | undefined): Record<string, string> {
  return ms === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(ms / 1_000))) }
}

/** Kinds whose message a handler wrote, for whoever runs it. */
const HANDLERS_OWN: ReadonlySet<FailureKind> = new Set(['handler_error', 'forbidden', 'unavailable', 'payload_invalid'])

/** What may be over in a moment, in words that tell a client nothing of the database behind. */
const UNAVAILABLE: Readonly<Record<string, string>> = {
  'database.unreachable': 'the service cannot reach its database',
  'database.read_only': 'the service cannot write at the moment',
  'emit.outcome_unknown': 'it is not known whether the request was taken',
  'bus.stopped': 'the service is stopping',
} satisfies Partial<Record<ErrorCode, string>>
/** A right or a table that is missing, a matcher that throws: whoever runs the service is to hear of it, and its client is not. */
const OF_THE_OPERATOR = /^(?:database|schema|migration|context|source|plugin)\./
/** A client may be told where in its own request the fault stands. */
const OF_THE_CLIENT = /^(?:payload|event)\./

const STATUS_OF: Readonly<Record<string, number>> = {
  'payload.too_large': 413,
  'access.forbidden': 403,
  'quota.exceeded': 429,
}

/** In words of our own, since a message may quote what was sent, and name what is none of a client's business. */
const SAID: Readonly<Record<string, string>> = {
  'payload.nul_character': 'a text has a NUL character',
  'payload.lone_surrogate': 'a text has half of a surrogate pair',
  'payload.unsafe_integer': 'an integer is beyond 2^53',
  'payload.number_range': 'a number is out of range',
  'payload.not_json': 'the body is not what its content-type says',
  'payload.too_deep': 'the body is nested too deep',
  'payload.too_large': 'the request is too large',
  'payload.reserved_key': 'a key has a name that is reserved',
  'payload.duplicate_key': 'an object has a key twice',
  'event.invalid': 'the request is not one that the service takes',
} satisfies Partial<Record<ErrorCode, string>>

/**
 * Of what was refused before it was an event: the same shape as everywhere, with a status. What was sent is not sent back, unless
 * errors are exposed. Undefined where it is the operator's affair.
 */
export function refusalResponse(error: OutbusError<string>, { exposeErrors }: ResponseOptions): Response | undefined {
  const { code, path, limit } = error
  const unavailable = UNAVAILABLE[code]
  if (unavailable !== undefined) return errorResponse(503, { code, message: unavailable })
  if (OF_THE_OPERATOR.test(code)) return undefined
  const status = STATUS_OF[code] ?? 400
  if (exposeErrors) return errorResponse(status, error.toJSON())
  const message = SAID[code] ?? 'the request was refused'
  return errorResponse(status, { code, message, ...(OF_THE_CLIENT.test(code) ? { path, limit } : {}) })
}

export function errorResponse(status: number, error: object, headers: Record<string, string> = {}): Response {
  return Response.json({ error }, { status, headers: responseHeaders(headers) })
}
