/**
 * The migration runner applies forward-only `.sql` files, in lines: core's first, then one for each plugin. Any number
 * of processes may run it at once (G17).
 *
 * A file has `{schema}` where the schema goes, and runs in one transaction with its bookkeeping, so that a killed
 * process leaves nothing. If its first line is `-- outbus: no transaction`, each semicolon at the end of a line ends a
 * statement that stands for itself. Such a file must bear running again from the top (`drop index concurrently if
 * exists …;` before `create index concurrently …;`). directives.ts has what a file says of older processes.
 */
import type pg from 'pg'
import type { Logger } from 'pino'
import { OutbusError } from '../errors.ts'
import { BusClient } from '../postgres/bus-client.ts'
import { SQL_STATE, sqlStateOf } from '../postgres/postgres-errors.ts'
import { applyLine } from './apply.ts'
import { pendingOf, readLedger, stateOf } from './ledger.ts'
import type { Database } from './ledger.ts'
import { loadLines } from './line.ts'
import type { LoadedLine, Migration, MigrationLine } from './line.ts'
import { rowsOf } from '../postgres/raw-query.ts'
import type { MigrationLock } from './lock.ts'
import { takeMigrationLock } from './lock.ts'
import { assertSchemaName } from './schema-name.ts'

export type { MigrationLine } from './line.ts'

export interface AppliedLine {
  readonly line: string
  /** The files that this call applied, without `.sql`, in order. */
  readonly applied: readonly string[]
}

/** A living dispatcher is heard of every ten seconds; one that stops in order is forgotten at once. */
const COUNTS_FOR = '25 seconds'

/** A frozen or vanished migrator loses its session after this, and its lock (`lock.ts`). */
const SESSION_SETTINGS = `
  set statement_timeout = 0;
  set idle_in_transaction_session_timeout = '60s';
  set idle_session_timeout = '60s';
  set tcp_keepalives_idle = 30;
  set tcp_keepalives_interval = 10;
  set tcp_keepalives_count = 3;
  set client_min_messages = warning;
  set search_path = pg_catalog, pg_temp`

/**
 * Brings a schema to what this program's lines say, and returns what it applied. With nothing to do it needs no lock
 * and only the right to read. The connection must hold a session: no transaction-mode pooler.
 *
 * Errors:
 *
 * - `schema.name`, `schema.newer`, `migration.changed`, `database.encoding`.
 * - `plugin.invalid` for a line not numbered from 0001 without gaps.
 * - `migration.locked`, with pid and login, if another process has the lock for 15 minutes.
 * - `schema.in_use` for a migration that older processes must not run beside, while one dispatches.
 * - `schema.missing` if the role may not create the schema.
 * - `migration.failed`, which names line, file and line number, with Postgres's error as its cause. Files applied
 *   before that one stay applied.
 */
export async function migrate(options: {
  readonly connection: pg.ClientConfig
  readonly schema: string
  readonly lines: readonly MigrationLine[]
  readonly log?: Pick<Logger, 'info'>
}): Promise<AppliedLine[]> {
  const schema = assertSchemaName(options.schema)
  const lines = loadLines(options.lines)
  // The application's own time limits do not fit an index on a large table.
  const client = new BusClient({ ...options.connection, ownSession: true, statement_timeout: 0 })
  // The current or next statement reports a lost connection; without a listener it would end the process.
  client.on('error', () => undefined)
  let lock: MigrationLock | undefined
  await client.connect()
  try {
    if ((await pendingIn(client, schema, lines)).every(({ pending }) => pending.length === 0)) {
      return lines.map(({ name }) => ({ line: name, applied: [] }))
    }
    await client.query(SESSION_SETTINGS)
    await ensureSchema(client, schema)
    lock = await takeMigrationLock({
      connection: options.connection,
      schema,
      onWait: (holders) => options.log?.info({ schema, holders }, 'another process is migrating: waiting for it'),
      onLost: () => void client.end().catch(() => undefined),
    })
    return await applyPending(client, schema, lines, options.log)
  } finally {
    // Ends the session, and with it an aborted transaction, before the lock goes to the next one.
    await client.end().catch(() => undefined)
    await lock?.release()
  }
}

/**
 * Refuses a schema that this program does not fit: `schema.missing`, `schema.outdated` (it lacks our migrations),
 * `schema.newer`, `migration.changed`. Reads the catalogue and one small table, and locks nothing.
 */
export async function checkSchema(options: {
  readonly db: Database
  readonly schema: string
  readonly lines: readonly MigrationLine[]
}): Promise<void> {
  const schema = assertSchemaName(options.schema)
  const hint = 'run bus.migrate() or pass migrate: true'
  const ledger = await readLedger(options.db, schema)
  if (ledger === undefined) {
    throw new OutbusError('schema.missing', `the database has no schema ${schema}`, {
      path: 'schema',
      received: schema,
      hint,
    })
  }
  const pending = loadLines(options.lines).flatMap((line) =>
    pendingOf(line, ledger).map(({ name }) => `${line.name}/${name}`),
  )
  if (pending.length === 0) return
  throw new OutbusError('schema.outdated', `schema ${schema} lacks ${pending.join(', ')}`, {
    path: 'schema',
    received: schema,
    hint,
  })
}

async function pendingIn(client: pg.Client, schema: string, lines: readonly LoadedLine[]) {
  const ledger = (await readLedger(client, schema)) ?? []
  return lines.map((line) => ({ line, pending: pendingOf(line, ledger) }))
}

async function applyPending(
  client: pg.Client,
  schema: string,
  lines: readonly LoadedLine[],
  log: Pick<Logger, 'info'> | undefined,
): Promise<AppliedLine[]> {
  // Asked again under the lock, for all lines before anything is applied.
  const work = await pendingIn(client, schema, lines)
  await assertNobodyRuns(client, schema, work)
  for (const { line, pending } of work) {
    if (pending.length === 0) continue
    await applyLine(client, schema, line)
    log?.info({ schema, line: line.name, applied: pending.map(({ name }) => name) }, 'migrated')
  }
  return work.map(({ line, pending }) => ({ line: line.name, applied: pending.map(({ name }) => name) }))
}

/**
 * Makes what the lock locks, so before there is a lock. IF NOT EXISTS races, and the second process finds it there. Its
 * existence is asked first, because IF NOT EXISTS needs the right to create either way.
 */
async function ensureSchema(client: pg.Client, schema: string): Promise<void> {
  const state = await stateOf(client, schema)
  if (!state.schema) await byOneOfMany(() => createSchema(client, schema))
  if (!state.ledger)
    await byOneOfMany(() =>
      client.query(`create table if not exists "${schema}".migration_checksums (
    line text not null,
    name text not null,
    sha256 text not null,
    applied_at timestamptz not null default clock_timestamp(),
    older_processes text,
    primary key (line, name)
  )`),
    )
  const [column] = await rowsOf<{ exists: boolean }>(
    client,
    `select exists (select from pg_attribute where attrelid = to_regclass($1) and attname = 'older_processes') as exists`,
    [`"${schema}".migration_checksums`],
  )
  // An older program made the table without the column. Whoever holds the lock has added it.
  if (column?.exists !== true)
    await client.query(
      `set lock_timeout = '10s'; alter table "${schema}".migration_checksums add column if not exists older_processes text`,
    )
}

/** The table, its row type, or a unique entry of the catalogue: the moment decides which the second process meets. */
const MADE_MEANWHILE: ReadonlySet<string | undefined> = new Set([
  SQL_STATE.duplicateObject,
  SQL_STATE.duplicateTable,
  SQL_STATE.uniqueViolation,
])

/** Several may create it at once, and Postgres fails all but the first. */
async function byOneOfMany(create: () => Promise<unknown>): Promise<void> {
  try {
    await create()
  } catch (error) {
    if (!MADE_MEANWHILE.has(sqlStateOf(error))) throw error
  }
}

/**
 * Refuses a migration beside which older processes must not run, while one dispatches. Any dispatcher is older: this
 * program would have been refused for what is pending. Processes that only emit leave no trace.
 */
async function assertNobodyRuns(
  client: pg.Client,
  schema: string,
  work: readonly { readonly pending: readonly Migration[] }[],
): Promise<void> {
  const first = work.flatMap(({ pending }) => pending).find(({ directives }) => directives.older === 'must stop')
  if (first === undefined) return
  const [table] = await rowsOf<{ exists: boolean }>(client, 'select to_regclass($1) is not null as exists', [
    `"${schema}".dispatchers`,
  ])
  if (table?.exists !== true) return
  const [alive] = await rowsOf<{ dispatchers: number }>(
    client,
    `select count(*)::integer as dispatchers from "${schema}".dispatchers where seen_at between now() - interval '${COUNTS_FOR}' and now() + interval '1 second'`,
  )
  const dispatchers = alive?.dispatchers ?? 0
  if (dispatchers === 0) return
  throw new OutbusError(
    'schema.in_use',
    `${first.name} must not be applied while older processes run, and ${dispatchers} of them dispatch`,
    {
      path: 'schema',
      received: schema,
      hint: `stop every process of the bus and migrate again; a process that was killed counts for ${COUNTS_FOR}`,
    },
  )
}

async function createSchema(client: pg.Client, schema: string): Promise<void> {
  try {
    await client.query(`create schema if not exists "${schema}"`)
  } catch (cause) {
    if (sqlStateOf(cause) !== SQL_STATE.insufficientPrivilege) throw cause
    throw new OutbusError('schema.missing', `there is no schema ${schema}, and this role may not create it`, {
      path: 'schema',
      received: schema,
      hint: `let an administrator run: create schema ${schema} authorization <role>`,
      cause,
    })
  }
}
