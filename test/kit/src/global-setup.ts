/** vitest `globalSetup`: one Postgres for each project, of the kind that its config provides as `postgresKind`. */
import type { TestProject } from 'vitest/node'
import { findPgBouncer, startPgBouncer } from './pgbouncer.ts'
import { startPostgres } from './postgres.ts'
import { loginsOf } from './logins.ts'
import type * as _context from './vitest.ts'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres(project.getProvidedContext().postgresKind)
  project.provide('postgresUrl', server.url)
  const pooler = await poolerFor(server.url)
  project.provide('poolerUrl', pooler?.through(server.url))
  return async () => {
    await pooler?.stop()
    await server.stop()
  }
}

/** With `OUTBUS_TEST_POOLER=pgbouncer`: every test database is reached through it. */
async function poolerFor(serverUrl: string) {
  const asked = process.env['OUTBUS_TEST_POOLER'] || undefined
  if (asked === undefined) return undefined
  if (asked !== 'pgbouncer') throw new Error(`OUTBUS_TEST_POOLER is ${JSON.stringify(asked)}; it may be pgbouncer`)
  const bin = findPgBouncer()
  if (bin === undefined) throw new Error('OUTBUS_TEST_POOLER is pgbouncer, and there is none on this system')
  return startPgBouncer(bin, { serverUrl, users: loginsOf(serverUrl) })
}
