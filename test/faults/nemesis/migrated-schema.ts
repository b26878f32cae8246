/** What a migration has left: tables, indexes, constraints, functions, sequences and both ledgers, one line each. */
import type pg from 'pg'

const OF_SCHEMA = {
  columns: `select c.relname, c.relkind, c.reloptions, a.attname, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull,
      a.attidentity, pg_get_expr(d.adbin, d.adrelid) as default
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p', 'v')`,
  sequences: `select relname from pg_class where relnamespace = $1::regnamespace and relkind = 'S'`,
  indexes: `select pg_get_indexdef(i.indexrelid) as definition, i.indisvalid
    from pg_index i join pg_class c on c.oid = i.indexrelid where c.relnamespace = $1::regnamespace`,
  constraints: `select conname, conrelid::regclass::text as on, pg_get_constraintdef(oid) as definition, convalidated
    from pg_constraint where connamespace = $1::regnamespace`,
  functions: `select pg_get_functiondef(oid) as definition from pg_proc where pronamespace = $1::regnamespace and prokind in ('f', 'p')`,
  triggers: `select pg_get_triggerdef(t.oid) as definition from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where c.relnamespace = $1::regnamespace and not t.tgisinternal`,
}
const LEDGER = 'select line, name, sha256 from {schema}.migration_checksums'

/** Sorted, with the schema's name left out, so that two schemas can be compared. */
export async function migratedAs(db: Pick<pg.Pool, 'query'>, schema: string): Promise<readonly string[]> {
  const lines: string[] = []
  const add = (what: string, rows: readonly unknown[]) => {
    for (const row of rows) lines.push(`${what} ${JSON.stringify(row).replaceAll(schema, '{schema}')}`)
  }
  for (const [what, query] of Object.entries(OF_SCHEMA)) add(what, (await db.query<object>(query, [schema])).rows)
  add('applied', (await db.query<object>(LEDGER.replace('{schema}', schema))).rows)
  const { rows } = await db.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = $1::regnamespace and relkind = 'r' and relname like 'migrations\\_%'`,
    [schema],
  )
  for (const { name } of rows) add(name, (await db.query<object>(`select name from ${schema}.${name}`)).rows)
  return lines.toSorted()
}
