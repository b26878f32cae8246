/** Reads from `migration_checksums` what was applied, and compares it with this program's files. */
import type pg from 'pg'
import { OutbusError } from '../errors.ts'
import { rowsOf } from '../postgres/raw-query.ts'
import type { OlderProcesses } from './directives.ts'
import type { LoadedLine, Migration } from './line.ts'

export type Database = Pick<pg.ClientBase, 'query'> | Pick<pg.Pool, 'query'>

interface Applied {
  readonly line: string
  readonly name: string
  readonly sha256: string
  /** What the migration says to programs that lack it. Null: nothing, or an older program kept none of it. */
  readonly older_processes: OlderProcesses | null
}

/**
 * Asks the catalogue, which takes no rights. Refuses a database that is not in UTF8, because what a handler throws
 * could not be written there, nor its neighbours' outcomes (G18).
 */
export async function stateOf(
  db: Database,
  schema: string,
): Promise<{ readonly schema: boolean; readonly ledger: boolean }> {
  const [state] = await rowsOf<{ schema: boolean; ledger: boolean; encoding: string }>(
    db,
    `select exists (select from pg_catalog.pg_namespace where nspname = $1) as schema,
            exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                    where n.nspname = $1 and c.relname = 'migration_checksums') as ledger,
            pg_catalog.current_setting('server_encoding') as encoding`,
    [schema],
  )
  if (state === undefined) return { schema: false, ledger: false }
  if (state.encoding !== 'UTF8') {
    throw new OutbusError('database.encoding', `the database is encoded in ${state.encoding}, and Outbus needs UTF8`, {
      path: 'database',
      received: state.encoding,
      hint: `make another one: create database … encoding 'UTF8' template template0`,
    })
  }
  return state
}

/** Undefined: there is no such schema. A schema that was never migrated has applied nothing. */
export async function readLedger(db: Database, schema: string): Promise<readonly Applied[] | undefined> {
  const state = await stateOf(db, schema)
  if (!state.schema) return undefined
  if (!state.ledger) return []
  // Through JSON, because the column may not be there yet.
  return rowsOf<Applied>(
    db,
    `select line, name, sha256, to_jsonb(c) ->> 'older_processes'::text as older_processes
from "${schema}".migration_checksums c order by line, name`,
  )
}

/**
 * The migrations of one line that the schema lacks. Refuses a file that differs from what was applied. Refuses a schema
 * newer than this program, unless each newer migration lets older processes start. Other programs' lines are ignored.
 */
export function pendingOf(line: LoadedLine, ledger: readonly Applied[]): readonly Migration[] {
  const applied = ledger.filter((entry) => entry.line === line.name)
  const last = line.migrations.at(-1)
  const newest = applied.at(-1)
  const newer = applied.filter(({ name }) => numberOf(name) > (last?.number ?? 0))
  const against = newer.find(({ older_processes: older }) => older !== 'may run and start')
  if (last !== undefined && newest !== undefined && against !== undefined) {
    throw new OutbusError(
      'schema.newer',
      `migration line ${line.name}: the database is at ${newest.name}, and this program knows no further than ${last.name}`,
      {
        path: line.name,
        received: newest.name,
        limit: last.number,
        hint: `a newer program has migrated it, and ${against.name} does not let older ones start: upgrade this one`,
      },
    )
  }
  for (const entry of applied) {
    if (newer.includes(entry)) continue
    const ours = line.migrations[numberOf(entry.name) - 1]
    if (ours?.name === entry.name && ours.sha256 === entry.sha256) continue
    const now = ours?.name === entry.name ? 'is not the same any more' : `is now ${ours?.name ?? 'gone'}`
    throw new OutbusError(
      'migration.changed',
      `migration line ${line.name}: ${entry.name}.sql was applied to this database and ${now}`,
      {
        path: `${line.name}/${entry.name}.sql`,
        received: ours?.sha256 ?? null,
        hint: 'restore the file, and put the change into a new one',
      },
    )
  }
  const names = new Set(applied.map(({ name }) => name))
  return line.migrations.filter(({ name }) => !names.has(name))
}

function numberOf(name: string): number {
  return Number(name.slice(0, 4))
}
