/** A service with routes on a real socket, and raw bytes for what no HTTP client would send. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { createBus } from '@outbus/core'
import type { BusOptions } from '@outbus/core'
import { http, httpListener } from '@outbus/http'
import type { HttpHandlerOptions } from '@outbus/http'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { onTestFinished } from 'vitest'

export async function httpService(
  options: HttpHandlerOptions = {},
  dispatch: NonNullable<BusOptions<[]>['dispatch']> = {},
) {
  const db = await useTestDatabase()
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: db.url, sources: [http()], app: 'shop', migrate: true, dispatch, log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const url = await listening(createServer(httpListener(bus, options)))
  const route = (
    name: string,
    filter: Parameters<typeof bus.on<'http'>>[2],
    handler: Parameters<typeof bus.on<'http'>>[3],
  ) => bus.on(name, 'http', filter, handler)
  const call = (path: string, init: RequestInit = {}) => fetch(`${url}${path}`, { redirect: 'manual', ...init })
  return { db, bus, url, route, call, raw: (text: string) => raw(url, text) }
}

/** Its URL, until the test is over. */
async function listening(server: ReturnType<typeof createServer>): Promise<string> {
  server.listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** All that a connection answers to these bytes until the server closes it. */
async function raw(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(text, 'latin1')
  let answer = ''
  try {
    for await (const chunk of socket.setEncoding('latin1')) answer += String(chunk)
  } catch (error) {
    // A server may close a connection whose bytes it does not want while some are under way.
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error
  }
  return answer
}
