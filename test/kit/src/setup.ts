/**
 * vitest `setupFiles`, where the environment asks for it.
 *
 * - `OUTBUS_TEST_ROLES=1`: every bus on the URL of a test database runs under a login that may dispatch and emit, and the
 *   migrator migrates. `row-security`: with that switched on.
 * - `OUTBUS_TEST_POOLER=pgbouncer`: it goes through one.
 */
import type * as core from '@outbus/core'
import type { AnyPlugin } from '@outbus/core/plugin'
import type pg from 'pg'
import { inject, vi } from 'vitest'
import { urlAs } from './logins.ts'
import { grantTestRoles } from './roles.ts'
import type * as _context from './vitest.ts'

type Options = core.BusOptions<readonly AnyPlugin[]>

vi.mock('@outbus/core', async (original) => {
  const actual = await original<typeof core>()
  const createBus = async (given: Options) => {
    let options = given
    const url = urlOf(options)
    if (url?.username === SERVICE && options.migrate === true) {
      await migrateAs(urlAs(direct(url), 'outbus_migrator'), options)
      options = { ...options, migrate: false }
    }
    if (url !== undefined && url.port === pooler()?.port)
      options = { prepare: false, listenUrl: direct(url), ...options }
    return actual.createBus(options)
  }
  async function migrateAs(database: string, options: Options): Promise<void> {
    const bus = await actual.createBus({ ...options, database })
    await bus.stop()
    await grantTestRoles(database, options.schema)
  }
  return { ...actual, createBus }
})

const SERVICE = 'outbus_service'

// For the processes that tests start.
if (pooler() !== undefined) process.env['OUTBUS_TEST_DIRECT_PORT'] = new URL(inject('postgresUrl')).port

/** Undefined: nothing that could be connected to. */
function urlOf({ database }: Options): URL | undefined {
  const url = typeof database === 'string' ? database : (database as pg.Pool | null)?.options?.connectionString
  return typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined
}

function pooler(): URL | undefined {
  const url = inject('poolerUrl')
  return url === undefined ? undefined : new URL(url)
}

function direct(url: URL): string {
  const straight = new URL(url)
  straight.port = new URL(inject('postgresUrl')).port
  return straight.href
}
