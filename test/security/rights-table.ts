/** What each role may do with each object of a schema that everybody may migrate: core's, and every plugin's that has migrations. */
import type pg from 'pg'

/** Who has rights by `grantRoles`. The migrator owns everything. */
interface Asked {
  readonly dispatcher: string
  readonly emitter: string
  readonly reader: string
}

interface Right {
  readonly kind: string
  readonly name: string
  readonly role: string
  readonly rights: string | null
}

/**
 * Of relations each right by its columns, where it is not for all of them. `login` has no role: what it may do, everybody may.
 * Relations also say who may lock them against everybody else.
 */
const RIGHTS = `
with roles as (select role, n from unnest($2::text[]) with ordinality as r (role, n)),
space as (select oid from pg_namespace where nspname = $1),
relations as (
  select c.oid, c.relname, c.relkind from pg_class c join space on c.relnamespace = space.oid where c.relkind in ('r', 'p', 'v', 'm', 'f')
), of_relations as (
  select 'table' as kind, c.relname::text as name, roles.role, roles.n,
    string_agg(case
      when has_table_privilege(roles.role, c.oid, p.privilege) then p.privilege
      when not p.by_column then null
      else p.privilege || ' (' || nullif(array_to_string(array(
        select a.attname from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
          and has_column_privilege(roles.role, c.oid, a.attnum, p.privilege) order by a.attname), ', '), '') || ')'
      end, ', ' order by p.n) as rights
  from relations c cross join roles cross join (values
    (1, 'select', true), (2, 'insert', true), (3, 'update', true), (4, 'delete', false), (5, 'truncate', false),
    (6, 'references', true), (7, 'trigger', false)) as p (n, privilege, by_column)
  group by 1, 2, 3, 4
), of_sequences as (
  select 'sequence', c.relname, roles.role, roles.n, string_agg(case when has_sequence_privilege(roles.role, c.oid, p.privilege) then p.privilege end, ', ' order by p.n)
  from pg_class c join space on c.relnamespace = space.oid cross join roles
  cross join (values (1, 'usage'), (2, 'select'), (3, 'update')) as p (n, privilege)
  where c.relkind = 'S' group by 1, 2, 3, 4
), of_functions as (
  select 'function', p.oid::regprocedure::text || case when p.prosecdef then ' as its owner' else '' end, roles.role, roles.n,
    case when has_function_privilege(roles.role, p.oid, 'execute') then 'execute' end
  from pg_proc p join space on p.pronamespace = space.oid cross join roles
), of_types as (
  select 'type', t.typname, roles.role, roles.n, case when has_type_privilege(roles.role, t.oid, 'usage') then 'usage' end
  from pg_type t join space on t.typnamespace = space.oid cross join roles
  where t.typrelid = 0 and t.typelem = 0
), of_schema as (
  select 'schema', nspname, roles.role, roles.n, string_agg(case when has_schema_privilege(roles.role, oid, p.privilege) then p.privilege end, ', ' order by p.n)
  from pg_namespace cross join roles cross join (values (1, 'usage'), (2, 'create')) as p (n, privilege) where nspname = $1
  group by 1, 2, 3, 4
)
select kind, regexp_replace(name, '_[0-9]{8}$', '_<day>') as name, role, rights
from (table of_schema union all table of_relations union all table of_sequences union all table of_functions union all table of_types) as found (kind, name, role, n, rights)
order by array_position(array['schema', 'table', 'sequence', 'function', 'type'], kind), name collate "C", n`

/** Rows of a table: kind, name, what each role may; `–` for nothing. One for all days of a table that is kept by day, where they are alike. */
export async function rightsIn(
  on: pg.ClientBase | pg.Pool,
  schema: string,
  { dispatcher, emitter, reader }: Asked,
  login: string,
): Promise<string[]> {
  const roles = [emitter, dispatcher, reader, login]
  const { rows } = await on.query<Right>(RIGHTS, [schema, roles])
  const lines = new Map<string, Map<string, string>>()
  for (const { kind, name, role, rights } of rows) {
    const key = `${kind} | \`${name.replace(`${schema}.`, '')}\``
    const of = lines.get(key) ?? new Map<string, string>()
    lines.set(key, of)
    const said = rights ?? '–'
    // Days that are not alike say so.
    of.set(role, of.has(role) && of.get(role) !== said ? `${of.get(role)} / ${said}` : said)
  }
  return [...lines].map(([key, of]) => `| ${key} | ${roles.map((role) => of.get(role) ?? '–').join(' | ')} |`)
}

/** Which rights there are in a schema, by kind of object. */
export async function rightsByKind(...of: Parameters<typeof rightsIn>): Promise<string[]> {
  const lines = await rightsIn(...of)
  return [...new Set(lines.map((line) => line.replace(/^\| (\w+) \| `[^`]*`(.*) \|$/, '$1$2')))].toSorted()
}

/** Of the tables of a schema those that the client may lock against whoever reads. */
export async function lockableIn(client: pg.ClientBase, schema: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select c.relname as name from pg_class c where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p') order by 1`,
    [schema],
  )
  const lockable: string[] = []
  for (const { name } of rows) {
    await client.query('begin')
    const locked = await client.query(`lock table ${schema}.${name} in access exclusive mode nowait`).then(
      () => true,
      ({ code }: { code: string }) => code !== '42501',
    )
    await client.query('rollback')
    if (locked) lockable.push(name)
  }
  return lockable
}

export function rightsPage(rights: readonly string[]): string {
  return `${INTRODUCTION}
| kind | object | emitter | dispatcher | reader | everybody |
|---|---|---|---|---|---|
${rights.join('\n')}
`
}

const INTRODUCTION = `# What each role may do

For whoever reviews the rights of database logins. The table names each object of a schema with core and the plugins kv, docs and
schedule, and with a plugin that the scaffolder made (\`plugin_name\`), after [\`grantRoles\`](operations.md#roles) and
\`enableRowSecurity\`. A test compares this page with Postgres, so that each new object is decided on.

- The migrator owns every object, and is not in the table.
- A right with names in brackets is for those columns alone.
- \`<day>\` stands for every day of a table that is kept by day. A partition is reached through its table.
- Where row security is on, a right on a table with an \`app_id\` is for the rows of the apps that the login is bound to.
- Plugins' tables, views and sequences get their rights by a rule. So does a function that runs with the rights of whoever calls it. A
  function that runs as its owner is granted by name. A plugin's own such function, a materialized view and a foreign table are nobody's.
- Nobody needs a right for a function that a trigger of Postgres runs, nor for the sequence of an identity column.
- What a migration makes is nobody's until \`grantRoles\` runs.
- Tables and functions of pg-boss's schema are the dispatcher's, and nobody else's.
`
