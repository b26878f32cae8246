-- A function that runs with the rights of whoever calls it lets nobody do more than before. One that runs with its owner's is
-- granted by name, where it is needed; a plugin's is nobody's.
do $$
declare
  called regprocedure;
begin
  for called in
    select p.oid::regprocedure from pg_proc p
    where p.pronamespace = '{schema}'::regnamespace and not p.prosecdef and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
  loop
    execute format('grant execute on routine %s to {role}', called);
  end loop;
end
$$;
