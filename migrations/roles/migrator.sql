-- The migrator owns the schema and what is in it. What another role made before, such as a member of the migrator's, is
-- handed over; where nothing is to be handed over this needs no rights.
do $$
declare
  thing record;
begin
  for thing in
    select format('schema %I', nspname) as named, 0 as turn
    from pg_namespace where oid = '{schema}'::regnamespace and nspowner <> '{migrator}'::regrole
    union all
    -- Sequences of identity columns go with their tables.
    select format(case c.relkind when 'S' then 'sequence %s' when 'v' then 'view %s' else 'table %s' end, c.oid::regclass), 1
    from pg_class c
    where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('r', 'p', 'v', 'S') and c.relowner <> '{migrator}'::regrole
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and c.relkind = 'S' and d.deptype in ('a', 'i'))
    union all
    select format('function %s', p.oid::regprocedure), 2
    from pg_proc p where p.pronamespace = '{schema}'::regnamespace and p.prokind = 'f' and p.proowner <> '{migrator}'::regrole
    union all
    select format('type %s', t.oid::regtype), 3
    from pg_type t where t.typnamespace = '{schema}'::regnamespace and t.typtype in ('e', 'd') and t.typowner <> '{migrator}'::regrole
    order by turn
  loop
    execute format('alter %s owner to {migrator}', thing.named);
  end loop;
end
$$;
