/** Applies one line's pending files in order, each with its bookkeeping in one transaction. */
import type pg from 'pg'
import { OutbusError } from '../errors.ts'
import { SQL_STATE, sqlStateOf } from '../postgres/postgres-errors.ts'
import { rowsOf } from '../postgres/raw-query.ts'
import { closeNewObjects, functionsIn } from './close-new-objects.ts'
import type { LoadedLine, Migration } from './line.ts'

/** How long DDL may wait for a table's lock, since everybody after it waits as well. */
const LOCK_TIMEOUT = "set lock_timeout = '10s'"
/** CONCURRENTLY waits for every open transaction, without blocking anybody. Any login may have one that never ends. */
const CONCURRENTLY_TIMEOUT = "set lock_timeout = '15min'"
/** In a file without transaction, a semicolon at the end of a line ends a statement. */
const STATEMENT_END = /;[ \t]*$/m

/** `client` holds the migration lock. If this throws, `client` may be in an aborted transaction: end it. */
export async function applyLine(client: pg.Client, schema: string, line: LoadedLine): Promise<void> {
  let current: Migration | undefined
  try {
    // A name that a file forgot to qualify lands in the schema, not in public.
    await client.query(`${LOCK_TIMEOUT}; set search_path to "${schema}"`)
    for (const migration of await unmarked(client, schema, line)) {
      current = migration
      await apply(client, schema, line.name, migration)
    }
  } catch (cause) {
    const where =
      current === undefined ? 'before its first file' : `${current.name}.sql${lineOf(cause, current, schema)}`
    const { message } = cause as { readonly message?: unknown }
    const sqlState = sqlStateOf(cause)
    const waitedFor =
      sqlState === SQL_STATE.lockNotAvailable && current !== undefined ? await openOnes(client, schema, current) : ''
    throw new OutbusError(
      'migration.failed',
      `migration line ${line.name}: ${where}: ${String(message ?? cause)}${waitedFor}`,
      {
        cause,
        path: current === undefined ? line.name : `${line.name}/${current.name}.sql`,
        ...(sqlState === undefined ? {} : { sqlState }),
      },
    )
  }
}

/**
 * The oldest open transactions, which a file without transaction waits for, but for the one with the migration lock.
 */
async function openOnes(client: pg.Client, schema: string, { directives }: Migration): Promise<string> {
  if (directives.transaction) return ''
  const open = await rowsOf<{ pid: number; user: string | null }>(
    client,
    `select a.pid, a.usename as user from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'virtualxid' and l.granted and a.pid <> pg_backend_pid() and a.datname = current_database()
      and not exists (
        select from pg_locks own where own.pid = a.pid and own.relation = to_regclass($1) and own.mode = 'ShareUpdateExclusiveLock'
      )
    order by a.xact_start nulls last, a.backend_start limit 3`,
    [`"${schema}".migration_checksums`],
    // The error is complete without them.
  ).catch(() => [])
  const each = open.map(({ pid, user }) => `pid ${pid} (user ${user ?? 'unknown'})`)
  return each.length === 0 ? '' : `; open transactions, the oldest first: ${each.join(', ')}`
}

/**
 * Migrations that the line's own table does not name. Older programs go by that table, so it is kept their way. A file
 * without transaction during which they were killed may be in `migration_checksums` alone, and runs again.
 */
async function unmarked(client: pg.Client, schema: string, line: LoadedLine): Promise<readonly Migration[]> {
  const table = `"${schema}"."migrations_${line.name}"`
  const [found] = await rowsOf<{ exists: boolean }>(client, 'select to_regclass($1) is not null as exists', [table])
  // Asked first, because IF NOT EXISTS needs the right to create even if the table exists.
  if (found?.exists !== true) {
    await client.query(
      `create table ${table} (id serial primary key, name varchar(255) not null, run_on timestamp not null)`,
    )
  }
  const marks = new Set((await rowsOf<{ name: string }>(client, `select name from ${table}`)).map(({ name }) => name))
  const first = line.migrations.findIndex(({ name }) => !marks.has(name))
  const rest = line.migrations.slice(first === -1 ? line.migrations.length : first)
  const later = rest.find(({ name }) => marks.has(name))
  if (later !== undefined && rest[0] !== undefined)
    throw new Error(`migrations_${line.name} has ${later.name}, and not ${rest[0].name} before it`)
  return rest
}

async function apply(client: pg.Client, schema: string, line: string, migration: Migration): Promise<void> {
  const text = textFor(migration, schema)
  // Names are of a-z, 0-9 and _, and the sum is hexadecimal. A file without transaction may run twice.
  const { older, transaction } = migration.directives
  const record = `insert into "${schema}".migration_checksums (line, name, sha256, older_processes)
    values ('${line}', '${migration.name}', '${migration.sha256}', ${older === undefined ? 'null' : `'${older}'`})
    on conflict (line, name) do update set sha256 = excluded.sha256, older_processes = excluded.older_processes, applied_at = excluded.applied_at`
  const mark = `insert into "${schema}"."migrations_${line}" (name, run_on) values ('${migration.name}', now())`
  const before = await functionsIn(client, schema)
  if (transaction) {
    await client.query('begin')
    // Sent alone, because a Postgres error points into the text that was sent.
    await client.query(text)
    await closeNewObjects(client, schema, before)
    await client.query(`${record}; ${mark}`)
    await client.query('commit')
    return
  }
  await client.query(CONCURRENTLY_TIMEOUT)
  for (const statement of text.split(STATEMENT_END)) if (statement.trim() !== '') await client.query(statement)
  await client.query(`${LOCK_TIMEOUT}; begin`)
  await closeNewObjects(client, schema, before)
  await client.query(`${record}; ${mark}; commit`)
}

function textFor(migration: Migration, schema: string): string {
  return migration.text.replaceAll('{schema}', `"${schema}"`)
}

/** `:17` for a Postgres error that points into the file, otherwise nothing. */
function lineOf(error: unknown, migration: Migration, schema: string): string {
  const position = Number((error as { position?: string }).position)
  if (!(position >= 1) || !migration.directives.transaction) return ''
  return `:${textFor(migration, schema).slice(0, position).split('\n').length}`
}
