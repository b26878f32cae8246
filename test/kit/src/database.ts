import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { withClient } from './connections.ts'

export interface TestDatabase {
  readonly url: string
  readonly name: string
  /** Drops the database, ending whatever connections it still has. A second call does nothing. */
  drop(): Promise<void>
}

export interface CreateTestDatabaseOptions {
  /** The database to copy. Nobody may be connected to it meanwhile. Default: Postgres's own `template1`. */
  readonly template?: string
  /** How it is copied, as `create database … strategy` has it. Default: as Postgres does by itself. */
  readonly strategy?: 'file_copy' | 'wal_log'
}

/** A fresh database on a running server, in about 100 ms. `serverUrl` names any other database on it, to connect to. */
export async function createTestDatabase(
  serverUrl: string,
  options: CreateTestDatabaseOptions = {},
): Promise<TestDatabase> {
  const name = `outbus_test_${randomBytes(6).toString('hex')}`
  const template = options.template === undefined ? '' : ` template ${pg.escapeIdentifier(options.template)}`
  const strategy = options.strategy === undefined ? '' : ` strategy ${options.strategy}`
  await once(serverUrl, `create database ${pg.escapeIdentifier(name)}${template}${strategy}`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return {
    url: url.href,
    name,
    drop: () => once(serverUrl, `drop database if exists ${pg.escapeIdentifier(name)} with (force)`),
  }
}

async function once(url: string, sql: string): Promise<void> {
  await withClient({ connectionString: url }, (client) => client.query(sql))
}
