/** Row-level security by app: a second fence in Postgres, behind the `app_id` of every statement. Off by default. */
import type pg from 'pg'
import { z } from 'zod'
import { assertSchemaName } from '../migrate/schema-name.ts'
import { parseWith } from '../validation/zod-error.ts'
import { rowsOf } from '../postgres/raw-query.ts'
import { administer, withPool } from './administer.ts'
import { roleNameSchema, runRoleStatements } from './role-statements.ts'

const enableSchema = z.strictObject({
  schema: z.string().default('outbus'),
  allApps: z.array(roleNameSchema).min(1),
})
const disableSchema = z.strictObject({ schema: z.string().default('outbus') })

/**
 * Switches row-level security on, as the migrator. From then on a role sees and writes rows of the apps that
 * `role_apps` binds it to, and of no others. Nothing changes for `allApps`: the dispatcher, and other roles that serve
 * all apps. The tables' owner and superusers are exempt. Idempotent; every call states `allApps` anew.
 *
 * Row-level security does not hide that there is a dispatcher, nor keep a role from NOTIFY, advisory locks and other
 * things that belong to nobody.
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

/** Switches row-level security off. The bindings in `role_apps` stay. */
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

/** Secures new tables if row-level security is on. */
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
