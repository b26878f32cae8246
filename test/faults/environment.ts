/** What a run stands on: the Postgres under test, and a proxy for each kind of process. */
import pg from 'pg'
import { prepareDatabase } from './database.ts'
import { startProxy } from './proxy.ts'
import type { FaultServer } from './server.ts'
import { startFaultServer } from './server.ts'
import type { World } from './world.ts'

export interface Environment extends AsyncDisposable {
  readonly server: FaultServer
  readonly proxies: World['proxies']
  readonly admin: pg.Pool
  /** Of the database, through the proxy of a kind of process. */
  urlFor(kind: keyof World['proxies']): string
}

export async function startEnvironment(): Promise<Environment> {
  const server = await startFaultServer()
  try {
    await prepareDatabase(server.url)
    const { hostname: host, port } = new URL(server.url)
    const target = { host, port: Number(port) }
    const proxies = { dispatcher: await startProxy(target), emitter: await startProxy(target) }
    const admin = new pg.Pool({ connectionString: server.url, max: 4, application_name: 'outbus nemesis' })
    // An idle connection that is lost is replaced by the next one.
    admin.on('error', () => undefined)
    return {
      server,
      proxies,
      admin,
      urlFor(kind) {
        const url = new URL(server.url)
        url.port = String(proxies[kind].port)
        return url.href
      },
      async [Symbol.asyncDispose]() {
        await admin.end()
        await Promise.all([proxies.dispatcher.close(), proxies.emitter.close()])
        await server.close()
      },
    }
  } catch (error) {
    await server.close()
    throw error
  }
}
