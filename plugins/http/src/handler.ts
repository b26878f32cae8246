/** From a request to an event, and from its reply to a response. For any server that speaks `fetch`. */
import type { ContextOptions, EventInput, Reply, RequestOptions, SubmittedRequest } from '@outbus/core'
import { isOutbusError, OutbusError, parseWith } from '@outbus/core'
import { z } from 'zod'
import { readBody } from './body.ts'
import type { PeerKeys, PeerTest } from './causality.ts'
import { CAUSALITY_HEADER, causalityOf, peersSchema, readTraceparent, SIGNATURE_HEADER } from './causality.ts'
import type { httpEvents } from './events.ts'
import { isMethod, METHODS } from './events.ts'
import { responseHeaders } from './response-headers.ts'
import { errorResponse, refusalResponse, responseTo } from './responses.ts'

type RequestEvent = EventInput<typeof httpEvents>

/** A bus that has `http()` among its sources. */
export interface HttpBus {
  context(options: ContextOptions): {
    request(source: 'http', event: RequestEvent, options?: RequestOptions): Promise<Reply>
    submit(source: 'http', event: RequestEvent): Promise<SubmittedRequest | undefined>
    isAnswered(source: 'http', event: RequestEvent): Promise<boolean>
  }
}

export interface HttpHandlerOptions {
  /**
   * Whose request it is: app and principal. Called once for each, before its body is read; a `Response` that it returns
   * is the answer, such as a 401. Default: the bus's own `app`, and nobody.
   */
  readonly context?: (
    request: Request,
  ) =>
    | Pick<ContextOptions, 'app' | 'principal'>
    | Response
    | Promise<Pick<ContextOptions, 'app' | 'principal'> | Response>
  /**
   * Whose `outbus-causality` header is believed: depth, root and chain of the handler that sent the request. Those who sign it
   * with a shared key (`causalityHeaders(cx, { key })`), or those that a predicate knows, such as by what a proxy of yours
   * says. Everybody else's is ignored. Default nobody's.
   */
  readonly peers?: PeerKeys | PeerTest
  /** How long a request waits for its reply, in ms. Default 30,000. */
  readonly timeoutMs?: number
  /** Largest body, in bytes. Default 131,072: in base64 it still fits into the bus's default `maxEventBytes`. */
  readonly maxBodyBytes?: number
  /** Headers that the event carries, lower case. Default all but those that carry credentials. */
  readonly headers?: readonly string[]
  /** Whether a response says why a handler failed. Default false: the message stays in the log. */
  readonly exposeErrors?: boolean
}

const optionsSchema = z.strictObject({
  context: z.custom<NonNullable<HttpHandlerOptions['context']>>((value) => typeof value === 'function').exactOptional(),
  peers: peersSchema.optional(),
  timeoutMs: z.number().min(1).max(600_000).default(30_000),
  maxBodyBytes: z.int().min(0).default(131_072),
  headers: z.array(z.string().toLowerCase()).optional(),
  exposeErrors: z.boolean().default(false),
})

/** They would be stored with the event. */
const CREDENTIALS = new Set(['authorization', 'cookie', 'proxy-authorization'])
/** Of the listener alone, whatever headers the event is to carry. */
const OWN = new Set([CAUSALITY_HEADER, SIGNATURE_HEADER])
const RESPOND_ASYNC = /(?:^|[\s,;])respond-async(?:$|[\s,;])/i

export function httpHandler(bus: HttpBus, options: HttpHandlerOptions = {}): (request: Request) => Promise<Response> {
  const settings = parseOptions(options)
  return async (request) => {
    const response = await respondTo(bus, settings, request)
    return request.method === 'HEAD' ? withoutBody(response) : response
  }
}

type Settings = ReturnType<typeof parseOptions>

function parseOptions(options: HttpHandlerOptions) {
  return parseWith(optionsSchema, options, { code: 'options.invalid', what: 'httpHandler' })
}

async function respondTo(bus: HttpBus, settings: Settings, request: Request): Promise<Response> {
  try {
    return await handle(bus, settings, request)
  } catch (error) {
    const response = isOutbusError(error) ? refusalResponse(error) : undefined
    if (response !== undefined) return response
    // The server's own error handling is the right place for what nobody expected.
    throw error
  }
}

async function handle(bus: HttpBus, settings: Settings, request: Request): Promise<Response> {
  const { method } = request
  if (!isMethod(method))
    return errorResponse(501, { code: 'event.invalid', message: `the method ${method} is not known` })
  const whose = settings.context === undefined ? {} : await settings.context(request)
  if (typeof whose !== 'object' || whose === null) throw namesNobody(whose)
  if (isResponse(whose)) return whose
  const causality = await causalityOf(request, settings.peers)
  const traceContext = readTraceparent(request.headers.get('traceparent'))
  const cx = bus.context({
    ...whose,
    ...(causality === undefined ? {} : { causality }),
    ...(traceContext === undefined ? {} : { traceContext }),
  })
  const url = new URL(request.url)
  const event: RequestEvent = {
    op: 'request',
    method,
    path: url.pathname,
    query: queryOf(url.searchParams),
    headers: headersOf(request.headers, settings.headers),
    ...(await readBody(request, settings.maxBodyBytes)),
  }
  if (RESPOND_ASYNC.test(request.headers.get('prefer') ?? '')) {
    const submitted = await cx.submit('http', event)
    if (submitted !== undefined)
      return Response.json(submitted, {
        status: 202,
        headers: responseHeaders({ 'preference-applied': 'respond-async' }),
      })
    const message = 'no route matches'
    return (await forOtherMethods(cx, event)) ?? errorResponse(404, { code: 'not_found', message })
  }
  const reply = await cx.request('http', event, { timeoutMs: settings.timeoutMs, signal: request.signal })
  const isUnanswered = !reply.ok && reply.failure === 'not_found'
  return (isUnanswered ? await forOtherMethods(cx, event) : undefined) ?? responseTo(reply, settings)
}

/**
 * Where the path has routes, and none for this method: which methods it has. For OPTIONS that is the answer. Undefined where it has none,
 * or one for this method, whose function is nowhere.
 */
async function forOtherMethods(cx: ReturnType<HttpBus['context']>, event: RequestEvent): Promise<Response | undefined> {
  const allowed: string[] = []
  for (const method of METHODS) if (await cx.isAnswered('http', { ...event, method })) allowed.push(method)
  if (allowed.length === 0 || allowed.includes(event.method)) return undefined
  const isAsked = event.method === 'OPTIONS'
  const headers = { allow: [...allowed, ...(isAsked ? ['OPTIONS'] : [])].join(', ') }
  if (isAsked) return new Response(null, { status: 204, headers: responseHeaders(headers) })
  return errorResponse(405, { code: 'not_found', message: `no route for ${event.method} matches` }, headers)
}

/** What GET would answer, with the length of the body and not the body itself. */
async function withoutBody(response: Response): Promise<Response> {
  if (response.body === null) return response
  const { status, statusText } = response
  const headers = new Headers(response.headers)
  if (!headers.has('content-length')) headers.set('content-length', String((await response.arrayBuffer()).byteLength))
  return new Response(null, { status, statusText, headers })
}

/** No context is the service's own. A function that forgets to answer makes no client the service. */
function namesNobody(received: unknown): OutbusError {
  return new OutbusError('context.principal', 'the context of a request is an object, or a Response', {
    path: 'context',
    received,
    hint: 'return {} for the service itself',
  })
}

/** Also of another implementation of fetch than the process's own, or of another realm. */
function isResponse(value: object): value is Response {
  return 'status' in value && 'headers' in value && 'arrayBuffer' in value && typeof value.arrayBuffer === 'function'
}

function queryOf(search: URLSearchParams): Record<string, string | string[]> {
  const names = new Set(search.keys())
  return Object.fromEntries(
    [...names].map((name) => {
      const values = search.getAll(name)
      return [name, values.length === 1 ? (values[0] as string) : values]
    }),
  )
}

function headersOf(headers: Headers, wanted: readonly string[] | undefined): Record<string, string> {
  const all = [...headers].filter(([name]) => !OWN.has(name))
  return Object.fromEntries(
    wanted === undefined
      ? all.filter(([name]) => !CREDENTIALS.has(name))
      : all.filter(([name]) => wanted.includes(name)),
  )
}
