/**
 * The migration runner: forward-only `.sql` files, in lines (core's first, then one for each plugin), any number of
 * processes at once (G17).
 *
 * A file is written with `{schema}` where the schema goes, and runs in one transaction together with its
 * bookkeeping: killed half-way it has left nothing. If its first line is `-- outbus: no transaction`, it does not:
 * then each semicolon at the end of a line ends a statement, each statement stands for itself, and the file must
 * bear being run again from the top (`drop index concurrently if exists …;` before `create index concurrently …;`).
 * What a file says of older processes: directives.ts.
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
import { rowsOf } from '../postgres/answer.ts'
import type { MigrationLock } from './lock.ts'
import { takeMigrationLock } from './lock.ts'
import { assertSchemaName } from './schema-name.ts'

export type { MigrationLine } from './line.ts'

export interface AppliedLine {
  readonly line: string
  /** The files that this call applied, without `.sql`, in order. */
  readonly applied: readonly string[]
}

/** A dispatcher that stops in order is forgotten at once; while it lives, it is heard of every ten seconds. */
const COUNTS_FOR = '25 seconds'

/** A migrator that is frozen, or whose machine vanished, loses its session after this, and its lock (`lock.ts`). */
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
 * Brings a schema to what this program's lines say, and tells what it applied. With nothing to do it needs no lock and
 * no right beyond reading. The connection must hold a session: not one through a transaction-mode pooler.
 *
 * Errors: `schema.name`; `migration.locked` where another process has the lock for 15 minutes, with its pid and login; `plugin.invalid` for a line whose files are not numbered from 0001 without gaps; `schema.newer`;
 * `schema.in_use` for a migration that older processes must not run beside, while one of them dispatches; `migration.changed`;
 * `schema.missing` if the role may not create the schema; `migration.failed`, which names line, file and line number and has
 * what Postgres said as its cause. Files applied before that one stay applied.
 */
export async function migrate(options: {
  readonly connection: pg.ClientConfig
  readonly schema: string
  readonly lines: readonly MigrationLine[]
  readonly log?: Pick<Logger, 'info'>
}): Promise<AppliedLine[]> {
  const schema = assertSchemaName(options.schema)
  const lines = await loadLines(options.lines)
  // Limits of the application's own queries do not fit an index on a large table.
  const client = new BusClient({ ...options.connection, ownSession: true, statement_timeout: 0 })
  // The statement that is under way, or the next one, reports a lost connection; unheard it would end the process.
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
    // The session ends, so does an aborted transaction. The next one does not begin beside it.
    await client.end().catch(() => undefined)
    await lock?.release()
  }
}

/**
 * Refuses a schema that this program does not fit: `schema.missing`, `schema.outdated` (it lacks migrations of ours),
 * `schema.newer`, `migration.changed`. Reads two small tables and locks nothing.
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
  const pending = (await loadLines(options.lines)).flatMap((line) =>
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
  // Asked again, under the lock; and of all lines before anything of any is applied.
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
 * What the lock is a lock of, so before there is one: IF NOT EXISTS races, and whoever is second finds it there. Asked first, because
 * that wants the right to create even if it would not.
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
  // A table of a program from before the column. Whoever holds the lock has added it.
  if (column?.exists !== true)
    await client.query(
      `set lock_timeout = '10s'; alter table "${schema}".migration_checksums add column if not exists older_processes text`,
    )
}

/** The row type of a table, the table, or what is unique in the catalogue: which of them is found there is a matter of moments. */
const MADE_MEANWHILE: ReadonlySet<string | undefined> = new Set([
  SQL_STATE.duplicateObject,
  SQL_STATE.duplicateTable,
  SQL_STATE.uniqueViolation,
])

/** Several do it at once, and Postgres fails all but the first one. */
async function byOneOfMany(create: () => Promise<unknown>): Promise<void> {
  try {
    await create()
  } catch (error) {
    if (!MADE_MEANWHILE.has(sqlStateOf(error))) throw error
  }
}

/**
 * Refuses a migration beside which older processes must not run, while one of them dispatches. It is an older one: a process of this
 * program would have been refused for what is pending. Processes that only emit leave no trace to go by.
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
