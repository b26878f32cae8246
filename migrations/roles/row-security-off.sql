-- The bindings in role_apps stay.
do $$
declare
  name text;
begin
  for name in
    select distinct c.relname from pg_policy p join pg_class c on c.oid = p.polrelid
    where c.relnamespace = '{schema}'::regnamespace and p.polname in ('bound_apps', 'all_apps')
  loop
    execute format('drop policy if exists bound_apps on {schema}.%I', name);
    execute format('drop policy if exists all_apps on {schema}.%I', name);
    execute format('alter table {schema}.%I disable row level security', name);
  end loop;
end
$$;
