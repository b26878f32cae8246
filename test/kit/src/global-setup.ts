/** vitest `globalSetup`: one Postgres for each project, of the kind that its config provides as `postgresKind`. */
import type { TestProject } from 'vitest/node'
import { startPostgres } from './postgres.ts'
import type * as _context from './vitest.ts'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres(project.getProvidedContext().postgresKind)
  project.provide('postgresUrl', server.url)
  return () => server.stop()
}
