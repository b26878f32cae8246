/** What test files import. The server comes from `global-setup.ts`, one for each vitest project. */
import type { AnyPlugin } from '@outbus/core/plugin'
import type pg from 'pg'
import { afterAll, inject, onTestFinished, TestRunner } from 'vitest'
import { openClient, openPool } from './connections.ts'
import { createTestDatabase } from './database.ts'
import type { CreateTestDatabaseOptions } from './database.ts'
import { urlAs } from './logins.ts'
import { prepareRoles } from './roles.ts'
import { templateWith } from './template.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** What `startPostgres` is to start for this project: `embedded`, `system`, `container`, a URL. */
    postgresKind: string
    /** The project's server, as superuser. */
    postgresUrl: string
    /** A PgBouncer in front of it, where the environment asks for one. */
    poolerUrl: string | undefined
  }
}

export interface UsedTestDatabase {
  /** For buses. A superuser's, unless `OUTBUS_TEST_ROLES` is set: then of a login that may dispatch and emit. */
  readonly url: string
  /** A superuser's, straight to the server. */
  readonly adminUrl: string
  readonly name: string
  /** As superuser. At most ten connections, opened when used, ended before the database is dropped. */
  readonly pool: pg.Pool
}

export interface UseTestDatabaseOptions extends CreateTestDatabaseOptions {
  /**
   * The plugins of the bus that is to come. The database is a copy of one that a bus with them has migrated. It is made
   * once a server, so that `migrate: true` finds nothing left to do. Not for tests of migrating, and without effect where
   * `OUTBUS_TEST_ROLES` has the migrator migrate. Default: an empty database.
   */
  readonly plugins?: readonly AnyPlugin[]
}

/** Kinds of server that this project starts for itself. */
const OF_OUR_OWN: ReadonlySet<string> = new Set(['embedded', 'system'])

type CleanUp = () => Promise<void>

/** One file's; last in, first out. */
const ofTheFile: CleanUp[] = []

/** Ends what the file that was just run had for itself. A file after it, in the same process, begins with nothing. */
export async function endTestFile(): Promise<void> {
  for (const cleanUp of ofTheFile.splice(0).toReversed()) await cleanUp()
}

// Registered while this module is imported, because inside a beforeAll it would be too late: vitest drops it silently. Where
// files share their modules (`isolate: false`), this is of the first file alone, and `each-file.ts` is there for the others.
afterAll(endTestFile)

/**
 * A database of its own, so that test files may run side by side. Called at the top of a file,
 * `const db = await useTestDatabase()`, or in a `beforeAll`, it is dropped when the file is over; called inside a test
 * or a `beforeEach`, when the test is.
 */
export async function useTestDatabase({ plugins, ...options }: UseTestDatabaseOptions = {}): Promise<UsedTestDatabase> {
  const serverUrl = inject('postgresUrl')
  if (plugins !== undefined && !process.env['OUTBUS_TEST_ROLES'])
    options = { template: await templateWith(serverUrl, plugins), ...options }
  // In memory a copy of files takes half the time of one by the log, and its drop a quarter. Elsewhere it costs two checkpoints.
  if (OF_OUR_OWN.has(inject('postgresKind'))) options = { strategy: 'file_copy', ...options }
  const database = await createTestDatabase(serverUrl, options)
  const pool = openPool({ connectionString: database.url, max: 10 })
  const cleanUp = async () => {
    const kept = pool.totalCount - pool.idleCount
    const ended = pool.end()
    // The pool would wait for them for ever, and the test time out without saying why.
    if (kept === 0) await ended
    await database.drop()
    if (kept > 0) throw new Error(`${kept} connections of useTestDatabase().pool are still in use after the test`)
  }
  whenDone(cleanUp)
  return { url: await urlForBuses(database.url), adminUrl: database.url, name: database.name, pool }
}

/**
 * A pool of a test's own: ended when the test is over, or the file where it is called outside of one. A connection that
 * Postgres ends, because its database is dropped or a test asked for it, does not end the test process.
 */
export function useTestPool(url: string, config: Omit<pg.PoolConfig, 'connectionString'> = {}): pg.Pool {
  const pool = openPool({ ...config, connectionString: url })
  whenDone(async () => {
    // A test may have ended it.
    if (!pool.ending) await pool.end()
  })
  return pool
}

/** A connected client, ended as {@link useTestPool} says, and as unharmed by a lost connection. */
export async function useTestClient(
  url: string,
  config: Omit<pg.ClientConfig, 'connectionString'> = {},
): Promise<pg.Client> {
  const client = await openClient({ ...config, connectionString: url })
  whenDone(() => client.end())
  return client
}

async function urlForBuses(adminUrl: string): Promise<string> {
  let url = adminUrl
  if (process.env['OUTBUS_TEST_ROLES']) {
    await prepareRoles(adminUrl)
    url = urlAs(adminUrl, 'outbus_service')
  }
  const pooler = inject('poolerUrl')
  if (pooler === undefined) return url
  const pooled = new URL(url)
  pooled.port = new URL(pooler).port
  return pooled.href
}

/** When the test is over, or the file where it is called outside of one; last in, first out. */
export function whenDone(cleanUp: CleanUp): void {
  if (TestRunner.getCurrentTest() === undefined) ofTheFile.push(cleanUp)
  else onTestFinished(cleanUp)
}

/** The project's server, for what needs more than one database. Prefer `useTestDatabase`. */
export function testServerUrl(): string {
  return inject('postgresUrl')
}
