/** What test files import. The server comes from `global-setup.ts`, one for each vitest project. */
import pg from 'pg'
import { afterAll, expect, inject, onTestFinished } from 'vitest'
import { createTestDatabase } from './database.ts'
import type { CreateTestDatabaseOptions } from './database.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** What `startPostgres` is to start for this project: `embedded`, `system`, `container`, a URL. */
    postgresKind: string
    /** The project's server, as superuser. */
    postgresUrl: string
  }
}

export interface UsedTestDatabase {
  readonly url: string
  readonly name: string
  /** At most ten connections, opened when used, ended before the database is dropped. */
  readonly pool: pg.Pool
}

/**
 * A database of this test file's (or this test's) own, so that files may run side by side; dropped when the file
 * (or the test) is over. Call it at the top of a file, `const db = await useTestDatabase()`, or inside a test;
 * inside a `beforeAll` or `beforeEach` vitest offers no way to clean up, and it throws.
 */
export async function useTestDatabase(options: CreateTestDatabaseOptions = {}): Promise<UsedTestDatabase> {
  // Registered before the first await: vitest knows which file is being collected only until then.
  const cleanUps: (() => Promise<void>)[] = []
  const cleanUp = async () => {
    for (const step of cleanUps.reverse()) await step()
  }
  if (expect.getState().currentTestName === undefined) afterAll(cleanUp)
  else onTestFinished(cleanUp)

  const database = await createTestDatabase(inject('postgresUrl'), options)
  cleanUps.push(database.drop)
  const pool = new pg.Pool({ connectionString: database.url, max: 10 })
  // A test that ends a connection on purpose must not end the test process with it.
  pool.on('error', () => {})
  cleanUps.push(() => pool.end())
  return { url: database.url, name: database.name, pool }
}

/** The project's server, for what needs more than one database. Prefer `useTestDatabase`. */
export function testServerUrl(): string {
  return inject('postgresUrl')
}
