/** Row-level security by app: a second fence, in Postgres, behind the `app_id` of every statement. Off by default. */
import type pg from 'pg'
import { z } from 'zod'
import { assertSchemaName } from '../migrate/schema-name.ts'
import { parseWith } from '../validation/zod-error.ts'
import { rowsOf } from '../postgres/answer.ts'
import { administer, withPool } from './administer.ts'
import { roleNameSchema, runRoleStatements } from './role-statements.ts'

const enableSchema = z.strictObject({
  schema: z.string().default('outbus'),
  allApps: z.array(roleNameSchema).min(1),
})
const disableSchema = z.strictObject({ schema: z.string().default('outbus') })

/**
 * Switches it on, as the migrator. From then on a role sees and writes what is of the apps that `role_apps` binds it to, and
 * nothing where it is bound to none; `allApps` are the roles for which nothing changes: the dispatcher, whoever else serves
 * all apps. The owner of the tables and superusers are not concerned. Idempotent; every call states `allApps` anew.
 *
 * What it does not do: hide that a dispatcher is there, or keep a role from NOTIFY, advisory locks and what else belongs
 * to nobody.
 */
export async function enableRowSecurity(
  database: string | pg.Pool,
  options: { readonly schema?: string; readonly allApps: readonly string[] },
): Promise<void> {
  const { schema, allApps } = parseWith(enableSchema, options, { code: 'options.invalid', what: 'enableRowSecurity' })
  assertSchemaName(schema)
  const change = { action: 'role.row_security', operation: 'enableRowSecurity', after: { allApps } } as const
  await withPool(database, (pool) => administer(pool, schema, change, (tx) => secureRows(tx, schema, allApps)))
}

/** Switches it off. The bindings in `role_apps` stay. */
export async function disableRowSecurity(
  database: string | pg.Pool,
  options: { readonly schema?: string } = {},
): Promise<void> {
  const { schema } = parseWith(disableSchema, options, { code: 'options.invalid', what: 'disableRowSecurity' })
  assertSchemaName(schema)
  const change = { action: 'role.row_security', operation: 'disableRowSecurity', after: { enabled: false } } as const
  await withPool(database, (pool) =>
    administer(pool, schema, change, (tx) => runRoleStatements(tx, 'row-security-off', { schema })),
  )
}

/** Where it is on, for tables that came since. */
export async function keepRowsSecure(tx: pg.ClientBase, schema: string): Promise<void> {
  const rows = await rowsOf<{ role: string }>(
    tx,
    `select r.rolname as role from pg_policy p join pg_class c on c.oid = p.polrelid join pg_roles r on r.oid = any (p.polroles)
    where c.relnamespace = to_regnamespace($1) and c.relname = 'outbox' and p.polname = 'all_apps'`,
    [schema],
  )
  if (rows.length === 0) return
  await secureRows(
    tx,
    schema,
    rows.map(({ role }) => role),
  )
}

async function secureRows(tx: pg.ClientBase, schema: string, allApps: readonly string[]): Promise<void> {
  await runRoleStatements(tx, 'partitions', { schema })
  await runRoleStatements(tx, 'row-security', { schema, all_apps: allApps })
}
