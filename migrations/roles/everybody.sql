-- What Postgres gives to everybody by itself goes: to execute a new function, to use a new type. So does what somebody gave to
-- everybody. Which apps a role is bound to is for everybody to read, and a policy shows each role its own.
revoke all on all routines in schema {schema} from public;
revoke create on schema {schema} from public;
revoke all on all sequences in schema {schema} from public;
do $$
declare
  thing record;
begin
  for thing in
    select c.oid::regclass as name from pg_class c
    where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relname <> 'role_apps'
      and (exists (select from aclexplode(c.relacl) a where a.grantee = 0)
        or exists (select from pg_attribute l cross join lateral aclexplode(l.attacl) a where l.attrelid = c.oid and a.grantee = 0))
  loop
    execute format('revoke all on %s from public', thing.name);
  end loop;
  for thing in
    select t.oid::regtype as name from pg_type t
    where t.typnamespace = '{schema}'::regnamespace and t.typtype in ('e', 'd', 'r')
  loop
    execute format('revoke all on type %s from public', thing.name);
  end loop;
end
$$;
