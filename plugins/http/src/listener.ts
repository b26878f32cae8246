import type { RequestListener } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { HttpBus, HttpHandlerOptions } from './handler.ts'
import { httpHandler } from './handler.ts'

/** The same for `node:http`: `createServer(httpListener(bus))`. A client that disconnects has left its request. */
export function httpListener(bus: HttpBus, options: HttpHandlerOptions = {}): RequestListener {
  const listener = getRequestListener(httpHandler(bus, options), {
    overrideGlobalObjects: false,
    // For a request without a Host header, which HTTP/1.0 allows; of HTTP/1.1 Node itself refuses it.
    hostname: 'localhost',
  })
  return (incoming, outgoing) => void listener(incoming, outgoing)
}
