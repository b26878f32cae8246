/** One line's pending files through node-pg-migrate, each with its bookkeeping in one transaction. */
import type { MigrationBuilder } from 'node-pg-migrate'
import { basename } from 'node:path'
import type pg from 'pg'
import { OutbusError } from '../errors.ts'
import { sqlStateOf } from '../postgres-errors.ts'
import type { LoadedLine, Migration } from './line.ts'

/** How long DDL may wait for a lock on a table: everybody who comes after it waits as well. */
const LOCK_TIMEOUT = "set lock_timeout = '10s'"
/** In a file without transaction every semicolon at the end of a line ends a statement. */
const STATEMENT_END = /;[ \t]*$/m

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** `client` holds the migration lock. When this throws, `client` may be in an aborted transaction: end it. */
export async function applyLine(client: pg.Client, schema: string, line: LoadedLine): Promise<void> {
  // Not before there is something to apply: most processes find nothing, and it is 6 MB.
  const { runner } = await import('node-pg-migrate')
  await client.query(LOCK_TIMEOUT)
  const byFile = new Map(line.migrations.map((migration) => [`${migration.name}.sql`, migration]))
  let current: Migration | undefined
  const unitOf = (filePath: string) => {
    const migration = byFile.get(basename(filePath))
    if (migration === undefined) throw new Error(`${filePath} appeared while migrating`)
    const up = (builder: MigrationBuilder) => {
      current = migration
      stepsOf(migration, schema, line.name, builder)
    }
    return { id: filePath, filePaths: [filePath], actions: { up, down: false as const } }
  }
  try {
    await runner({
      dbClient: client,
      dir: line.path,
      direction: 'up',
      // Search path too: a name that a file forgot to qualify ends up here, not in public.
      schema,
      migrationsTable: `migrations_${line.name}`,
      migrationLoaderStrategies: [{ extensions: ['.sql'], loader: async (filePaths) => filePaths.map(unitOf) }],
      singleTransaction: false,
      // Ours is wider and waits otherwise: see lock.ts.
      noLock: true,
      logger: SILENT,
    })
  } catch (cause) {
    const where = current === undefined ? line.path : `${current.name}.sql${lineOf(cause, current, schema)}`
    const { message } = cause as { readonly message?: unknown }
    const sqlState = sqlStateOf(cause)
    throw new OutbusError('migration.failed', `migration line ${line.name}: ${where}: ${String(message ?? cause)}`, {
      cause,
      path: current === undefined ? line.name : `${line.name}/${current.name}.sql`,
      ...(sqlState === undefined ? {} : { sqlState }),
    })
  }
}

function stepsOf(migration: Migration, schema: string, line: string, builder: MigrationBuilder): void {
  const text = textFor(migration, schema)
  // Names are of a-z, 0-9 and _ by now, and the sum is hexadecimal. A file without transaction may be run twice.
  const { older, transaction } = migration.directives
  const record = `insert into "${schema}".migration_checksums (line, name, sha256, older_processes)
    values ('${line}', '${migration.name}', '${migration.sha256}', ${older === undefined ? 'null' : `'${older}'`})
    on conflict (line, name) do update set sha256 = excluded.sha256, older_processes = excluded.older_processes, applied_at = excluded.applied_at`
  if (!transaction) {
    builder.noTransaction()
    // CONCURRENTLY waits for every transaction there is, which holds nobody up and may take long.
    builder.sql('set lock_timeout = 0')
    for (const statement of text.split(STATEMENT_END)) if (statement.trim() !== '') builder.sql(statement)
    builder.sql(LOCK_TIMEOUT)
  } else {
    builder.sql(text)
  }
  builder.sql(record)
}

function textFor(migration: Migration, schema: string): string {
  return migration.text.replaceAll('{schema}', `"${schema}"`)
}

/** `:17` for an error of Postgres that points into the file, else nothing. */
function lineOf(error: unknown, migration: Migration, schema: string): string {
  const position = Number((error as { position?: string }).position)
  if (!(position >= 1) || !migration.directives.transaction) return ''
  return `:${textFor(migration, schema).slice(0, position).split('\n').length}`
}
