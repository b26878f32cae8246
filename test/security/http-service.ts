/** A service with routes on a real socket, and raw bytes for what no HTTP client would send. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { createBus } from '@outbus/core'
import type { BusOptions } from '@outbus/core'
import { http, httpListener } from '@outbus/http'
import type { HttpBus, HttpListenerOptions } from '@outbus/http'
import { useTestDatabase, whenDone } from '@outbus/test-kit/vitest'
import pino from 'pino'

/** Serves one test, or all tests of a file from a `beforeAll`. */
export async function httpService(
  options: HttpListenerOptions = {},
  dispatch: NonNullable<BusOptions<[]>['dispatch']> = {},
  serve: (bus: HttpBus) => Server = (bus) => createServer(httpListener(bus, options)),
) {
  const db = await useTestDatabase({ plugins: [http()] })
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: db.url, plugins: [http()], app: 'shop', migrate: true, dispatch, log })
  whenDone(() => bus.stop({ graceMs: 0 }))
  const server = serve(bus)
  const url = await listening(server)
  const route = (
    name: string,
    filter: Parameters<typeof bus.on<'http'>>[2],
    handler: Parameters<typeof bus.on<'http'>>[3],
  ) => bus.on(name, 'http', filter, handler)
  const call = (path: string, init: RequestInit = {}) => fetch(`${url}${path}`, { redirect: 'manual', ...init })
  const connection = () => connect(Number(new URL(url).port), '127.0.0.1')
  const raw = (text: string) => {
    const socket = connection()
    socket.write(text, 'latin1')
    return allOf(socket)
  }
  return { db, bus, server, url, route, call, raw, connection }
}

/** Its URL, until the test, or the file, is over. */
async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  whenDone(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** All that a connection answers until the server closes it. */
export async function allOf(socket: Socket): Promise<string> {
  let answer = ''
  try {
    for await (const chunk of socket.setEncoding('latin1')) answer += String(chunk)
  } catch (error) {
    // A server may close a connection whose bytes it does not want while some are under way.
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ECONNRESET' && code !== 'EPIPE') throw error
  }
  return answer
}

/** The status lines of an answer, or of several one after another. */
export function statusesOf(answer: string): string[] {
  return [...answer.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, status = '']) => status)
}
