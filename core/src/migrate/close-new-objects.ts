/**
 * Closes what a migration makes until rights are granted. Postgres lets everybody execute a new function, and default
 * privileges may give a new table away. The migration's transaction closes both, so that there is no gap.
 */
import type pg from 'pg'
import { rowsOf } from '../postgres/raw-query.ts'

export async function functionsIn(client: pg.ClientBase, schema: string): Promise<readonly string[]> {
  const rows = await rowsOf<{ id: string }>(
    client,
    `select p.oid::text as id from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace where n.nspname = $1`,
    [schema],
  )
  return rows.map(({ id }) => id)
}

/** `before`: the functions that {@link functionsIn} found before the migration. */
export async function closeNewObjects(client: pg.ClientBase, schema: string, before: readonly string[]): Promise<void> {
  const rows = await rowsOf<{ closing: string }>(
    client,
    `with secured as (
  select n.oid as schema from pg_catalog.pg_namespace n
  where n.nspname = $1 and exists (
    select from pg_catalog.pg_policy s join pg_catalog.pg_class o on o.oid = s.polrelid
    where o.relnamespace = n.oid and o.relname = 'outbox' and s.polname = 'all_apps')
)
select pg_catalog.format('revoke all on routine %s from public', p.oid::regprocedure::text) as closing
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where n.nspname = $1 and p.oid <> all ($2::oid[])
union all
-- Where row security is on. Its policies come with the rights.
select pg_catalog.format('alter table %s enable row level security', c.oid::regclass::text)
from secured join pg_catalog.pg_class c on c.relnamespace = secured.schema
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'app_id' and not a.attisdropped
where c.relkind in ('r', 'p') and not c.relrowsecurity
union all
select pg_catalog.format('alter view %s set (security_invoker = true)', c.oid::regclass::text)
from secured join pg_catalog.pg_class c on c.relnamespace = secured.schema
where c.relkind = 'v' and 'security_invoker=true' <> all (coalesce(c.reloptions, '{}'))
union all
select distinct pg_catalog.format('revoke all on %s from %s cascade', c.oid::regclass::text,
  case a.grantee when 0 then 'public' else a.grantee::regrole::text end)
from secured join pg_catalog.pg_class c on c.relnamespace = secured.schema cross join lateral pg_catalog.aclexplode(c.relacl) a
where c.relkind in ('m', 'f') and a.grantee <> c.relowner`,
    [schema, `{${before.join(',')}}`],
  )
  for (const { closing } of rows) await client.query(closing)
}
