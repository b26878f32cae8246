-- Which apps a role is bound to, and with it every role that has its rights. Written by the migrator:
--   insert into outbus.role_apps values ('shop_service', 'shop')
-- A setting of the session could be set by anybody; a row here cannot.
create table if not exists {schema}.role_apps (
  role regrole not null,
  app_id text not null,
  primary key (role, app_id)
);
alter table {schema}.role_apps enable row level security;
drop policy if exists own_apps on {schema}.role_apps;
create policy own_apps on {schema}.role_apps for select
  using (role = any ((select array(select oid from pg_roles where pg_has_role(current_user, oid, 'usage')))::oid[]));
grant select on {schema}.role_apps to public;

-- Bindings are written by SQL, so that the table itself writes the audit: a row for the app that a role is bound to, or no longer.
-- With the owner's rights, for whoever else was given the right to bind.
create or replace function {schema}.audit_role_apps() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare
  operation constant text := 'role_apps.' || lower(tg_op);
begin
  if tg_op = 'TRUNCATE' then
    insert into {schema}.audit (app_id, action, operation, resource, before)
    select app_id, 'role.bind', operation, role::text, '{"bound": true}' from {schema}.role_apps order by app_id, role::text;
    return null;
  end if;
  if tg_op = 'UPDATE' and old.role = new.role and old.app_id = new.app_id then
    return null;
  end if;
  if tg_op <> 'INSERT' then
    insert into {schema}.audit (app_id, action, operation, resource, before)
    values (old.app_id, 'role.bind', operation, old.role::text, '{"bound": true}');
  end if;
  if tg_op <> 'DELETE' then
    insert into {schema}.audit (app_id, action, operation, resource, after)
    values (new.app_id, 'role.bind', operation, new.role::text, '{"bound": true}');
  end if;
  return null;
end
$$;
revoke all on function {schema}.audit_role_apps() from public;
drop trigger if exists audited on {schema}.role_apps;
create trigger audited after insert or update or delete on {schema}.role_apps
  for each row execute function {schema}.audit_role_apps();
drop trigger if exists audited_truncate on {schema}.role_apps;
create trigger audited_truncate before truncate on {schema}.role_apps
  for each statement execute function {schema}.audit_role_apps();

-- Ids of rows in flight, of all apps.
alter table {schema}.claim_notes enable row level security;
drop policy if exists all_apps on {schema}.claim_notes;
create policy all_apps on {schema}.claim_notes to {all_apps} using (true);

-- Every table that has an app: core's, and those of plugins.
do $$
declare
  name text;
  -- Subselects, so that they are evaluated once a statement, not once a row. By the roles there are, not by the bindings, of
  -- which there may be many more.
  bound constant text := 'app_id = any ((select array(
    select role_apps.app_id from {schema}.role_apps
    where role_apps.role = any ((select array(select oid from pg_roles where pg_has_role(current_user, oid, ''usage'')))::oid[])
  ))::text[])';
begin
  for name in
    select c.relname from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'app_id' and not a.attisdropped
    where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'role_apps'
    order by 1
  loop
    execute format('alter table {schema}.%I enable row level security', name);
    execute format('drop policy if exists bound_apps on {schema}.%I', name);
    execute format('drop policy if exists all_apps on {schema}.%I', name);
    execute format('create policy bound_apps on {schema}.%I using (%s) with check (%s)', name, bound,
      bound
      -- A delivery runs for the app that its trigger names.
      || case name when 'outbox' then ' and trigger ->> ''app''::text = app_id' else '' end
      -- It stands in the lines of its trigger, and counts for its limits.
      || case when name in ('outbox', 'trigger_limits') then ' and {schema}.is_no_other_apps_trigger(app_id, trigger_id)' else '' end
      -- The first reply to a request counts.
      || case name
        when 'outbox' then ' and (reply_to is null or {schema}.is_no_other_apps_request(app_id, event_id))'
        when 'abandoned_executions' then ' and {schema}.is_no_other_apps_request(app_id, request_id)'
        else '' end);
    execute format('create policy all_apps on {schema}.%I to {all_apps} using (true)', name);
  end loop;
end
$$;

-- A view reads with the rights of its owner, whom no policy concerns, unless it says otherwise. What holds a copy of rows, or
-- has them elsewhere, cannot be under a policy: it is its owner's alone.
do $$
declare
  thing record;
  grantee text;
begin
  for thing in
    select c.oid::regclass as name, c.relkind as kind, c.relacl as acl, c.relowner as owner from pg_class c
    where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('v', 'm', 'f')
  loop
    if thing.kind = 'v' then
      execute format('alter view %s set (security_invoker = true)', thing.name);
    else
      for grantee in
        select distinct case a.grantee when 0 then 'public' else quote_ident(r.rolname) end
        from aclexplode(thing.acl) a left join pg_roles r on r.oid = a.grantee
        where a.grantee <> thing.owner and (a.grantee = 0 or r.oid is not null)
      loop
        execute format('revoke all on %s from %s cascade', thing.name, grantee);
      end loop;
    end if;
  end loop;
end
$$;
