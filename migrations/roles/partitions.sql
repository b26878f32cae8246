-- A partition is reached through its table. What anybody was given on one, by name or by default privileges, goes: rights go by
-- the table. Row security without a policy keeps out whoever is given something later.
do $$
declare
  thing regclass;
  grantee text;
begin
  for thing in
    select c.oid::regclass from pg_class c
    where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('r', 'p') and c.relispartition
  loop
    execute format('alter table %s enable row level security', thing);
    for grantee in
      select distinct case a.grantee when 0 then 'public' else quote_ident(r.rolname) end
      from pg_class c
      cross join lateral (
        select x.grantee from aclexplode(c.relacl) x
        union select x.grantee from pg_attribute l cross join lateral aclexplode(l.attacl) x where l.attrelid = c.oid
      ) a left join pg_roles r on r.oid = a.grantee
      where c.oid = thing and a.grantee <> c.relowner and (a.grantee = 0 or r.oid is not null)
    loop
      execute format('revoke all on %s from %s cascade', thing, grantee);
    end loop;
  end loop;
end
$$;
