/** Gives each process the database rights of its task, and no more. */
import type pg from 'pg'
import { z } from 'zod'
import { assertSchemaName } from '../migrate/schema-name.ts'
import { OutbusError } from '../errors.ts'
import { bossSchema, installBoss } from '../maintenance/timekeeper.ts'
import { rowsOf } from '../postgres/raw-query.ts'
import { parseWith } from '../validation/zod-error.ts'
import { administer, withPool } from './administer.ts'
import { roleNameSchema, runRoleStatements } from './role-statements.ts'
import { keepRowsSecure } from './row-security.ts'

export interface Roles {
  /** Owns the schema, migrates, calls these functions, and says what a principal may do. */
  readonly migrator?: string
  /** Runs `bus.start()`. */
  readonly dispatcher?: string
  /** Emits, asks, writes triggers, resolves dead letters. */
  readonly emitter?: string
  /** Reads everything and changes nothing. */
  readonly reader?: string
}

const optionsSchema = z.strictObject({
  schema: z.string().default('outbus'),
  roles: z.strictObject({
    migrator: roleNameSchema.optional(),
    dispatcher: roleNameSchema.optional(),
    emitter: roleNameSchema.optional(),
    reader: roleNameSchema.optional(),
  }),
})

/**
 * Gives each named role what its processes need, and takes away what else it has on the schema. The roles have to
 * exist, and processes log in as their members. Run it as the migrator or a superuser after every migration, because
 * nobody may use a new table until then. Idempotent, in one transaction. With a dispatcher, pg-boss is installed in its
 * own schema.
 *
 * Errors, besides what Postgres says, such as that a role does not exist:
 *
 * - `options.invalid`, also for a role that owns the tables.
 * - `schema.missing` if nothing is migrated, or if pg-boss's schema is missing and this role may not create it.
 */
export async function grantRoles(
  database: string | pg.Pool,
  options: { readonly schema?: string; readonly roles: Roles },
): Promise<void> {
  const { schema, roles } = parseWith(optionsSchema, options, { code: 'options.invalid', what: 'grantRoles' })
  assertSchemaName(schema)
  await withPool(database, async (pool) => {
    await assertMigrated(pool, schema)
    // In transactions of its own.
    if (roles.dispatcher !== undefined) await installBoss(pool, schema)
    const change = { action: 'role.grant', operation: 'grantRoles', after: roles } as const
    await administer(pool, schema, change, (tx) => grant(tx, schema, roles))
  })
}

async function grant(tx: pg.ClientBase, schema: string, roles: z.output<typeof optionsSchema>['roles']): Promise<void> {
  const { migrator, dispatcher, emitter, reader } = roles
  const boss = bossSchema(schema)
  if (migrator !== undefined) {
    await runRoleStatements(tx, 'migrator', { schema, migrator })
    if (dispatcher !== undefined) await runRoleStatements(tx, 'migrator', { schema: boss, migrator })
  }
  const others = [dispatcher, emitter, reader].filter((role) => role !== undefined)
  await assertNotOwner(tx, schema, others)
  await runRoleStatements(tx, 'everybody', { schema })
  await runRoleStatements(tx, 'partitions', { schema })
  // Before anybody gets a right on a new table.
  await keepRowsSecure(tx, schema)
  // One role may have several tasks.
  for (const role of new Set(others)) {
    await runRoleStatements(tx, 'withdraw', { schema, role })
    await runRoleStatements(tx, 'callable', { schema, role })
  }
  if (emitter !== undefined) {
    await runRoleStatements(tx, 'emitter', { schema, emitter })
    await runRoleStatements(tx, 'plugins', { schema, role: emitter })
  }
  if (dispatcher !== undefined) {
    await runRoleStatements(tx, 'dispatcher', { schema, dispatcher })
    await runRoleStatements(tx, 'plugins', { schema, role: dispatcher })
    await runRoleStatements(tx, 'boss', { schema: boss, dispatcher })
  }
  if (reader !== undefined) await runRoleStatements(tx, 'reader', { schema, reader })
}

/** Otherwise the owner's own rights would be withdrawn. */
async function assertNotOwner(tx: pg.ClientBase, schema: string, roles: readonly string[]): Promise<void> {
  const rows = await rowsOf<{ role: string }>(
    tx,
    `select distinct r.rolname as role from pg_class c join pg_roles r on r.oid = c.relowner
    where c.relnamespace = to_regnamespace($1) and r.rolname = any ($2::text[])`,
    [schema, roles],
  )
  const owner = rows[0]?.role
  if (owner === undefined) return
  throw new OutbusError(
    'options.invalid',
    `the role ${owner} owns tables of schema ${schema}, so that it may do everything`,
    {
      path: 'roles',
      received: owner,
      hint: 'name it as migrator, and other roles for the other tasks',
    },
  )
}

async function assertMigrated(pool: pg.Pool, schema: string): Promise<void> {
  const [state] = await rowsOf<{ migrated: boolean }>(
    pool,
    `select to_regclass(format('%I.migration_checksums', $1::text)) is not null as migrated`,
    [schema],
  )
  if (state?.migrated === true) return
  throw new OutbusError('schema.missing', `there is nothing in schema ${schema} to give rights to`, {
    path: 'schema',
    received: schema,
    hint: 'run bus.migrate() first',
  })
}
