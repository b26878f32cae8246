/** What a run stands on: the Postgres under test, and a proxy and a login for each kind of process. */
import { urlAs } from '@outbus/test-kit'
import { openPool } from '@outbus/test-kit/connections'
import type pg from 'pg'
import { prepareDatabase } from './database.ts'
import { startProxy } from './proxy.ts'
import type { FaultServer, FaultServerOptions } from './server.ts'
import { startFaultServer } from './server.ts'
import { LOGINS } from './settings.ts'
import type { World } from './world.ts'

export interface Environment extends AsyncDisposable {
  readonly server: FaultServer
  readonly proxies: World['proxies']
  readonly admin: pg.Pool
  /** The connections of the checker, which only reads. */
  readonly reader: pg.Pool
  /** Where the database is for a kind of process: through its proxy, and with its login. */
  urlFor(kind: keyof World['proxies']): string
}

export interface EnvironmentOptions extends FaultServerOptions {
  /** What the server has of the load's events is to be known at any time. Default false: it costs an insert a row. */
  readonly notesEvents?: boolean
}

export async function startEnvironment(options: EnvironmentOptions = {}): Promise<Environment> {
  const server = await startFaultServer(options)
  try {
    await prepareDatabase(server.url, options)
    const proxies = { dispatcher: await startProxy(server.address), emitter: await startProxy(server.address) }
    server.onMoved((address) => {
      for (const proxy of Object.values(proxies)) proxy.redirect(address)
    })
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
