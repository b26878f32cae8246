/**
 * What a migration makes is nobody's until rights are granted. Postgres lets everybody execute a new function, and gives away a new
 * table where default privileges say so. Both are closed in the transaction of the migration, so that nobody sees a gap.
 */
import type pg from 'pg'
import { rowsOf } from '../sql/answer.ts'

/** Those that there are: whoever may execute them goes on to. */
export async function functionsIn(client: pg.ClientBase, schema: string): Promise<readonly string[]> {
  const rows = await rowsOf<{ id: string }>(
    client,
    `select p.oid::text as id from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace where n.nspname = $1`,
    [schema],
  )
  return rows.map(({ id }) => id)
}

/** `before` are the functions that {@link functionsIn} found before the migration. */
export async function closeWhatIsNew(client: pg.ClientBase, schema: string, before: readonly string[]): Promise<void> {
  const rows = await rowsOf<{ closing: string }>(
    client,
    `select pg_catalog.format('revoke all on routine %s from public', p.oid::regprocedure::text) as closing
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where n.nspname = $1 and p.oid <> all ($2::oid[])
union all
-- Where row security is on. Its policies come with the rights.
select pg_catalog.format('alter table %s enable row level security', c.oid::regclass::text)
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'app_id' and not a.attisdropped
where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relrowsecurity and exists (
  select from pg_catalog.pg_policy s join pg_catalog.pg_class o on o.oid = s.polrelid
  where o.relnamespace = n.oid and o.relname = 'outbox' and s.polname = 'all_apps')`,
    [schema, `{${before.join(',')}}`],
  )
  for (const { closing } of rows) await client.query(closing)
}
