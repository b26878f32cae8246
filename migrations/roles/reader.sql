-- Looks at everything, plugins' tables too, and changes nothing. A partition is read through its table: by its own name it would
-- not be under the policies of row security. A materialized view or a foreign table never is, so it is nobody's.
grant usage on schema {schema} to {reader};
do $$
declare
  thing regclass;
begin
  for thing in
    select c.oid::regclass from pg_class c
    where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
  loop
    execute format('grant select on %s to {reader}', thing);
  end loop;
end
$$;
