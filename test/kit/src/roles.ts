/** The roles of docs/operations.md on a test server, and who logs in as a member of them. */
import { enableRowSecurity, grantRoles } from '@outbus/core'
import pg from 'pg'
import { withClient } from './connections.ts'
import { TEST_LOGINS, TEST_PASSWORD, TEST_ROLES } from './logins.ts'
import { quickVerifier } from './server.ts'

/** Makes the roles where they are not there yet, and lets the migrator make schemas in the database. `url` is a superuser's. */
export async function prepareRoles(url: string): Promise<void> {
  // A lock is a database's, and roles are the server's: they are made from the one that all have.
  await onConnection(Object.assign(new URL(url), { pathname: '/postgres' }).href, makeRoles)
  const migrated = await onConnection(url, async (client) => {
    await client.query(
      `do $$ begin execute format('grant create on database %I to ${TEST_ROLES.migrator}', current_database()); end $$`,
    )
    const { rows } = await client.query<{ migrated: boolean }>(
      `select to_regclass('outbus.migration_checksums') is not null as migrated`,
    )
    return rows[0]?.migrated === true
  })
  // A copy of a template that a superuser made.
  if (migrated) await grantTestRoles(url)
}

async function makeRoles(client: pg.Client): Promise<void> {
  await client.query(`begin; select pg_advisory_xact_lock(hashtextextended('outbus test roles', 0))`)
  const { rows } = await client.query<{ rolname: string }>('select rolname from pg_roles')
  const there = new Set(rows.map(({ rolname }) => rolname))
  for (const role of Object.values(TEST_ROLES)) if (!there.has(role)) await client.query(`create role ${role}`)
  for (const [login, memberOf] of Object.entries(TEST_LOGINS)) {
    if (there.has(login)) continue
    if (login !== TEST_ROLES.migrator) await client.query(`create role ${login}`)
    await client.query(`alter role ${login} login password '${quickVerifier(TEST_PASSWORD)}'`)
    for (const role of memberOf) await client.query(`grant ${role} to ${login}`)
  }
  await client.query('commit')
}

/** As the migrator or a superuser, after a migration. The service's login also administers principals, which no role does. */
export async function grantTestRoles(url: string, schema = 'outbus'): Promise<void> {
  await grantRoles(url, { schema, roles: TEST_ROLES })
  if (process.env['OUTBUS_TEST_ROLES'] === 'row-security')
    await enableRowSecurity(url, { schema, allApps: [TEST_ROLES.dispatcher] })
  await onConnection(url, (client) =>
    client.query(`grant insert, update, delete on ${pg.escapeIdentifier(schema)}.principals to outbus_service`),
  )
}

async function onConnection<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  return withClient({ connectionString: url }, work)
}
