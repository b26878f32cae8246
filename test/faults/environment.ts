/** What a run stands on: the Postgres under test, and a proxy and a login for each kind of process. */
import { urlAs } from '@outbus/test-kit'
import { openPool } from '@outbus/test-kit/connections'
import type pg from 'pg'
import { prepareDatabase } from './database.ts'
import { startProxy } from './proxy.ts'
import type { FaultServer } from './server.ts'
import { startFaultServer } from './server.ts'
import { LOGINS } from './settings.ts'
import type { World } from './world.ts'

export interface Environment extends AsyncDisposable {
  readonly server: FaultServer
  readonly proxies: World['proxies']
  readonly admin: pg.Pool
  /** For the checker, who only reads. */
  readonly reader: pg.Pool
  /** Of the database, through the proxy of a kind of process and with its login. */
  urlFor(kind: keyof World['proxies']): string
}

export async function startEnvironment(): Promise<Environment> {
  const server = await startFaultServer()
  try {
    await prepareDatabase(server.url)
    const { hostname: host, port } = new URL(server.url)
    const target = { host, port: Number(port) }
    const proxies = { dispatcher: await startProxy(target), emitter: await startProxy(target) }
    const admin = poolOf(server.url, 'outbus nemesis')
    const reader = poolOf(urlAs(server.url, LOGINS.checker), 'outbus checker')
    return {
      server,
      proxies,
      admin,
      reader,
      urlFor(kind) {
        const url = new URL(urlAs(server.url, LOGINS[kind]))
        url.port = String(proxies[kind].port)
        return url.href
      },
      async [Symbol.asyncDispose]() {
        await Promise.all([admin.end(), reader.end()])
        await Promise.all([proxies.dispatcher.close(), proxies.emitter.close()])
        await server.close()
      },
    }
  } catch (error) {
    await server.close()
    throw error
  }
}

function poolOf(url: string, name: string): pg.Pool {
  return openPool({ connectionString: url, max: 4, application_name: name })
}
