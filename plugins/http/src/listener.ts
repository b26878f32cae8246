/** Routes for `node:http`: a listener for a server of one's own, and a server whose limits are set. */
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { parseWith } from '@outbus/core/plugin'
import { z } from 'zod'
import type { HttpBus, HttpHandlerOptions } from './handler.ts'
import { handlerOptions, httpHandler } from './handler.ts'
import { problemOfMessage } from './message.ts'
import { responseHeaders } from './response-headers.ts'
import { errorResponse } from './responses.ts'

export interface HttpListenerOptions extends HttpHandlerOptions {
  /**
   * Hears of every error that a client is told nothing of but 500: of the bus, of `context`, of `peers`. Default a warning of the
   * process.
   */
  readonly onError?: (failed: { readonly error: unknown }) => void
}

const listenerOptions = z.strictObject({
  onError: z.custom<NonNullable<HttpListenerOptions['onError']>>((value) => typeof value === 'function').optional(),
})

/** The same for `node:http`: `createServer(httpListener(bus))`. A client that disconnects has left its request. */
export function httpListener(bus: HttpBus, options: HttpListenerOptions = {}): RequestListener {
  const { onError: asked, ...forHandler } = options
  const { onError: tell = warn } = parseWith(
    listenerOptions,
    { onError: asked },
    { code: 'options.invalid', what: 'httpListener' },
  )
  const listener = getRequestListener(httpHandler(bus, forHandler), {
    overrideGlobalObjects: false,
    // For a request without a Host header, which HTTP/1.0 allows; of HTTP/1.1 Node itself refuses it.
    hostname: 'localhost',
    errorHandler: (error) => {
      // The URL of the request cannot be read.
      if (error instanceof Error && error.name === 'RequestError') return errorResponse(400, REFUSED)
      try {
        tell({ error })
      } catch (thrown) {
        // The client is answered whatever becomes of telling others.
        warn({ error: thrown })
      }
      return errorResponse(500, { code: 'internal', message: 'the service failed' })
    },
  })
  // What came after a refused request on its connection may be a part of it. Node has parsed it by the time the connection is closed.
  const refused = new WeakSet<object>()
  return (incoming, outgoing) => {
    if (refused.has(incoming.socket)) return
    // What is left unread of a request would be taken for the next one on its connection.
    // Of one that asks for another protocol nobody can say where that begins, and Node swallows what comes next.
    if (hasUnreadBody(incoming) || incoming.headers.upgrade !== undefined) outgoing.shouldKeepAlive = false
    if (incoming.headers.expect !== undefined) sendHeadInItsTurn(outgoing)
    if (problemOfMessage(incoming) === undefined) return void listener(incoming, outgoing)
    const body = JSON.stringify({ error: REFUSED })
    const headers = {
      ...Object.fromEntries(responseHeaders()),
      'content-type': 'application/json',
      'content-length': body.length,
      connection: 'close',
    }
    refused.add(incoming.socket)
    outgoing.writeHead(400, headers).end(body)
  }
}

/**
 * While the response before is under way Node keeps what is written, and puts the head before all of that. So "100 Continue" would come
 * between the head and the body, and whoever reads the connection would take the rest of the body for the next response.
 */
function sendHeadInItsTurn(outgoing: ServerResponse): void {
  const writeHead = outgoing.writeHead.bind(outgoing) as (...head: unknown[]) => ServerResponse
  outgoing.writeHead = (...head: unknown[]) => {
    writeHead(...head)
    outgoing.flushHeaders()
    return outgoing
  }
}

function warn({ error }: { readonly error: unknown }): void {
  process.emitWarning(error instanceof Error ? error : new Error('an HTTP request failed', { cause: error }))
}

const REFUSED = { code: 'event.invalid', message: 'the request is not one that HTTP allows' }

/** The body of a GET or HEAD has no meaning, and is not read. */
function hasUnreadBody({ method, headers }: IncomingMessage): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

export interface HttpServerOptions extends HttpListenerOptions {
  /** Connections at once. One more is closed as it comes. Default 1,000. */
  readonly maxConnections?: number
  /** How long a client may take for the head of a request, in ms. Then 408. Default 10,000. */
  readonly headersTimeoutMs?: number
}

const serverOptions = z.strictObject({
  ...handlerOptions,
  ...listenerOptions.shape,
  maxConnections: z.int().min(1).default(1_000),
  headersTimeoutMs: z.number().min(100).max(600_000).default(10_000),
})

const MAX_HEADER_BYTES = 16_384
const KEEP_ALIVE_MS = 5_000

/**
 * A server with the listener and with limits for clients that are slow, or many: `httpServer(bus).listen(8080)`. What takes
 * longer than it may is closed: the head of a request after `headersTimeoutMs`, all of it after `timeoutMs`, a response that nobody
 * reads after both.
 */
export function httpServer(bus: HttpBus, options: HttpServerOptions = {}): Server {
  const { maxConnections, headersTimeoutMs, timeoutMs } = parseWith(serverOptions, options, {
    code: 'options.invalid',
    what: 'httpServer',
  })
  const { maxConnections: _connections, headersTimeoutMs: _headers, ...forListener } = options
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      // Node looks at both in turns, and wants this one to be the longer.
      requestTimeout: Math.max(timeoutMs, headersTimeoutMs),
      connectionsCheckingInterval: Math.min(1_000, headersTimeoutMs),
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Whatever flags the process was started with.
      insecureHTTPParser: false,
    },
    httpListener(bus, forListener),
  )
  server.maxConnections = maxConnections
  // By size, and not by number: what is beyond the number is left out without a word, and may be what a proxy has added.
  server.maxHeadersCount = 0
  server.timeout = timeoutMs + headersTimeoutMs + KEEP_ALIVE_MS
  return server
}
