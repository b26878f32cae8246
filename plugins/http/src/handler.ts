/** From a request to an event, and from its reply to a response. For any server that speaks `fetch`. */
import { isOutbusError, OutbusError } from '@outbus/core'
import type { ContextOptions, Reply, RequestOptions, SubmitOptions, SubmittedRequest } from '@outbus/core'
import { clock, parseWith } from '@outbus/core/plugin'
import type { EventInput, SourceRequests } from '@outbus/core/plugin'
import { z } from 'zod'
import { AsyncBudget } from './async-budget.ts'
import { BodyNotThere, isCoded, readBody } from './body.ts'
import type { PeerKeys, PeerTest } from './causality.ts'
import { causalityOf, peersSchema, readTraceparent } from './causality.ts'
import type { httpEvents, HttpFilter } from './events.ts'
import { isMethod, METHODS } from './events.ts'
import { InFlight } from './in-flight.ts'
import { carriedOf } from './request-event.ts'
import { requestsOf } from './requests.ts'
import { responseHeaders } from './response-headers.ts'
import { errorResponse, refusalResponse, responseTo, retryAfter } from './responses.ts'
import type { SecretNames } from './secrets.ts'
import { secretsSchema } from './secrets.ts'

type RequestEvent = EventInput<typeof httpEvents>

/** A bus that has `http()` among its sources. */
export interface HttpBus {
  context(options: ContextOptions): {
    request(source: 'http', event: RequestEvent, options?: RequestOptions): Promise<Reply>
    submit(source: 'http', event: RequestEvent, options?: SubmitOptions): Promise<SubmittedRequest | undefined>
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
  /**
   * How long a request may take, in ms, from 1 to 600,000: until its body is there (then 408), and until its reply is (then
   * 504). Default 30,000.
   */
  readonly timeoutMs?: number
  /** Largest body, in bytes. Default 131,072: in base64 it still fits into the bus's default `maxEventBytes`. */
  readonly maxBodyBytes?: number
  /** Headers that the event carries, lower case. Default all but those that look like credentials, see `secrets`. */
  readonly headers?: readonly string[]
  /**
   * Which names of headers and of the query are credentials, which are not stored. Default a list of rules: `authorization`,
   * `cookie`, `x-api-key`, `x-auth-token` and the like; of the query `access_token`, `api_key` and the like.
   */
  readonly secrets?: SecretNames
  /**
   * Whether `Prefer: respond-async` is honoured where a route does not say (`respondAsync` in its filter). Default false: the
   * client waits, as RFC 7240 has it for a preference that is not honoured.
   */
  readonly respondAsync?: boolean
  /**
   * How much of what is responded to asynchronously this listener takes a minute, in bytes of events, each at least 1,024. Then 429.
   * Default 4,194,304.
   */
  readonly asyncBytesPerMinute?: number
  /** How many requests this listener works on at once. Then 503. Default 1,000. */
  readonly maxInFlight?: number
  /**
   * How many of them may be of one app, as `context` says. Then 503 for that app alone. Default half of `maxInFlight` where
   * there is a `context`, and all of it where all requests are of one app.
   */
  readonly maxInFlightPerApp?: number
  /**
   * Whether a response says why a handler failed, and what exactly was refused. Default false: the message of a handler stays in
   * the log, and a refusal has its code and path, and nothing of what was sent.
   */
  readonly exposeErrors?: boolean
}

export const handlerOptions = {
  context: z.custom<NonNullable<HttpHandlerOptions['context']>>((value) => typeof value === 'function').exactOptional(),
  peers: peersSchema.optional(),
  timeoutMs: z.number().min(1).max(600_000).default(30_000),
  maxBodyBytes: z.int().min(0).default(131_072),
  headers: z.array(z.string().toLowerCase()).optional(),
  secrets: secretsSchema,
  respondAsync: z.boolean().default(false),
  asyncBytesPerMinute: z.int().min(1).default(4_194_304),
  maxInFlight: z.int().min(1).default(1_000),
  maxInFlightPerApp: z.int().min(1).optional(),
  exposeErrors: z.boolean().default(false),
}
const optionsSchema = z.strictObject(handlerOptions)

const RESPOND_ASYNC = /(?:^|[\s,;])respond-async(?:$|[\s,;])/i

export function httpHandler(bus: HttpBus, options: HttpHandlerOptions = {}): (request: Request) => Promise<Response> {
  const settings = parseWith(optionsSchema, options, { code: 'options.invalid', what: 'httpHandler' })
  const { maxInFlight, maxInFlightPerApp = settings.context === undefined ? maxInFlight : Math.ceil(maxInFlight / 2) } =
    settings
  const budget = new AsyncBudget(settings.asyncBytesPerMinute)
  const desk: Desk = { ...settings, bus, budget, apps: new InFlight(maxInFlightPerApp) }
  let inFlight = 0
  return async (request) => {
    if (inFlight >= maxInFlight) return tooMany(`the service works on ${maxInFlight} requests at the moment`)
    inFlight++
    try {
      const response = await respondTo(desk, request)
      return request.method === 'HEAD' ? await withoutBody(response) : response
    } finally {
      inFlight--
    }
  }
}

/** What one listener has. */
interface Desk extends z.output<typeof optionsSchema> {
  readonly bus: HttpBus
  readonly budget: AsyncBudget
  readonly apps: InFlight
}

function tooMany(message: string): Response {
  return errorResponse(503, { code: 'overloaded', message }, retryAfter(1_000))
}

async function respondTo(desk: Desk, request: Request): Promise<Response> {
  try {
    return await handle(desk, request)
  } catch (error) {
    if (error instanceof BodyNotThere) return bodyNotThere(error, desk.timeoutMs)
    const response = isOutbusError(error) ? refusalResponse(error, desk) : undefined
    if (response !== undefined) return response
    // The server's own error handling is the right place for what nobody expected.
    throw error
  }
}

async function handle(desk: Desk, request: Request): Promise<Response> {
  const startedAt = clock.performance.now()
  const { method } = request
  if (!isMethod(method)) return errorResponse(501, { code: 'event.invalid', message: 'the method is not known' })
  if (isCoded(request)) {
    const message = 'a body comes as it is, without a content coding'
    return errorResponse(415, { code: 'event.invalid', message }, { 'accept-encoding': 'identity' })
  }
  const whose = desk.context === undefined ? {} : await desk.context(request)
  if (typeof whose !== 'object' || whose === null) throw namesNobody(whose)
  if (isResponse(whose)) return whose
  // Before the body is read: it may be slow to come.
  const leave = desk.apps.enter(whose.app)
  if (leave === undefined) return tooMany(`the service works on ${desk.apps.most} requests of this app at the moment`)
  try {
    return await handleFor(desk, whose, request, startedAt)
  } finally {
    leave()
  }
}

type Whose = Pick<ContextOptions, 'app' | 'principal'>

async function handleFor(desk: Desk, whose: Whose, request: Request, startedAt: number): Promise<Response> {
  const { bus, budget, timeoutMs, maxBodyBytes: maxBytes } = desk
  const causality = await causalityOf(request, desk.peers)
  const traceContext = readTraceparent(request.headers.get('traceparent'))
  const cx = bus.context({
    ...whose,
    ...(causality === undefined ? {} : { causality }),
    ...(traceContext === undefined ? {} : { traceContext }),
  })
  const requests = requestsOf(cx) ?? asService(cx)
  const event: RequestEvent = {
    op: 'request',
    method: request.method as RequestEvent['method'],
    ...carriedOf(request, desk),
    ...(await readBody(request, { maxBytes, over: clock.timeoutSignal(timeoutMs) })),
  }
  if (RESPOND_ASYNC.test(request.headers.get('prefer') ?? '')) {
    let waitMs: number | undefined
    const onlyTo = ({ filter }: { readonly filter: unknown }) => {
      if (!((filter as HttpFilter).respondAsync ?? desk.respondAsync)) return false
      waitMs = budget.take(JSON.stringify(event).length)
      return waitMs === undefined
    }
    const submitted = await requests.submit(event, { onlyTo })
    if (submitted !== undefined) return accepted(submitted)
    if (waitMs !== undefined) {
      const message = 'the service takes no more requests that nobody waits for at the moment'
      return errorResponse(429, { code: 'overloaded', message }, retryAfter(waitMs))
    }
  }
  const leftMs = Math.max(1, timeoutMs - (clock.performance.now() - startedAt))
  const reply = await requests.request(event, { timeoutMs: leftMs, signal: request.signal })
  const isUnanswered = !reply.ok && reply.failure === 'not_found'
  return (isUnanswered ? await forOtherMethods(requests, event) : undefined) ?? responseTo(reply, desk)
}

function accepted(submitted: SubmittedRequest): Response {
  const headers = responseHeaders({ 'preference-applied': 'respond-async' })
  return Response.json(submitted, { status: 202, headers })
}

function bodyNotThere({ why }: BodyNotThere, timeoutMs: number): Response {
  if (why === 'ended early')
    return errorResponse(400, { code: 'event.invalid', message: 'the body ended early', path: 'body' })
  const message = `the body did not come within ${timeoutMs} ms`
  // What is left of it would be taken for the next request.
  return errorResponse(408, { code: 'timeout', message }, { connection: 'close' })
}

type Requests = SourceRequests<typeof httpEvents>

/** For a context without the source's own way, such as one of another copy of this package: principals are refused there. */
function asService(cx: ReturnType<HttpBus['context']>): Requests {
  return {
    request: (event, options) => cx.request('http', event, options),
    submit: (event, options) => cx.submit('http', event, options),
    isAnswered: (event) => cx.isAnswered('http', event),
  }
}

/**
 * Where the path has routes, and none for this method: which methods it has. For OPTIONS that is the answer. Undefined where it has none,
 * or one for this method, whose function is nowhere.
 */
async function forOtherMethods(requests: Requests, event: RequestEvent): Promise<Response | undefined> {
  const allowed: string[] = []
  // Without the body, which may be large: it would be looked at for each method, of a request that nobody answers.
  const asked = { ...event, body: null, encoding: null }
  for (const method of METHODS) if (await requests.isAnswered({ ...asked, method })) allowed.push(method)
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

/** Knows a response of another implementation of fetch than the process's own, and of another realm. */
function isResponse(value: object): value is Response {
  return 'status' in value && 'headers' in value && 'arrayBuffer' in value && typeof value.arrayBuffer === 'function'
}
