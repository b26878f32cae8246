// Made of the .sql files, which are what is edited. `npm test -- -u` makes it anew, and a test compares.
export const roleStatements: Readonly<Record<string, string>> = {
  boss: `-- pg-boss keeps time in a schema of its own, from the dispatcher's processes; \`grantRoles\` installs it, so that they need not
-- be able to create schemas. What its functions create and drop belongs to features that the bus does not use.
grant usage on schema {schema} to {dispatcher};
grant select, insert, update, delete on all tables in schema {schema} to {dispatcher};
grant usage on all sequences in schema {schema} to {dispatcher};
revoke all on all routines in schema {schema} from public;
grant execute on all routines in schema {schema} to {dispatcher};
`,
  callable: `-- A function that runs with the rights of whoever calls it lets nobody do more than before. One that runs with its owner's is
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
`,
  dispatcher: `-- Claims, settles, keeps house, emits dead letters to their handlers. A service that also emits, whose handlers do, or that
-- declares triggers, is an emitter as well.
grant usage on schema {schema} to {dispatcher};
grant select on
  {schema}.migration_checksums, {schema}.triggers, {schema}.trigger_epochs, {schema}.trigger_changes, {schema}.trigger_limits,
  {schema}.pauses, {schema}.principals, {schema}.outbox, {schema}.claim_notes, {schema}.dispatchers, {schema}.dedupe_keys,
  {schema}.replies, {schema}.abandoned_executions, {schema}.dead_letters, {schema}.cancellations, {schema}.withdrawals, {schema}.attempts
  to {dispatcher};

grant select on {schema}.app_quotas, {schema}.root_rows to {dispatcher};

grant insert, update, delete on {schema}.outbox, {schema}.claim_notes, {schema}.dispatchers, {schema}.dedupe_keys to {dispatcher};
-- Locked before they are removed, for which Postgres wants the right to update.
grant select, update (taken_at), delete on {schema}.ordering_locks to {dispatcher};
grant update (holder, starts), delete on {schema}.trigger_limits to {dispatcher};
grant select, insert, delete on {schema}.trigger_starts to {dispatcher};
-- Which rows of disabled triggers have been set aside.
grant update (swept, discard_before, sweep_from, sweep_is_clean, sweep_after) on {schema}.pauses to {dispatcher};
grant insert, delete on {schema}.cancellations to {dispatcher};
-- Withdrawals are locked before they are deleted, for which Postgres wants the right to update.
grant insert, update (requested_at), delete on {schema}.withdrawals to {dispatcher};

-- Replies and abandoned executions are locked before they are deleted, for which Postgres wants the right to update.
grant insert, update (taken_at, reply_by, emitted_at), delete on {schema}.replies to {dispatcher};
grant insert, update (abandoned_at), delete on {schema}.abandoned_executions to {dispatcher};
grant insert, update (announced, resolution, resolved_at), delete on {schema}.dead_letters to {dispatcher};

grant insert on {schema}.attempts to {dispatcher};
grant usage on sequence {schema}.attempt_sequence to {dispatcher};
-- How far ids have come: whether somebody has some of the newest rows in hands.
grant select on sequence {schema}.outbox_id_seq to {dispatcher};
grant execute on function {schema}.add_attempts_partition(date), {schema}.drop_attempts_partitions(date), {schema}.add_day(text, date),
  {schema}.drop_days(text, date) to {dispatcher};
-- Under row security what is written under the id of a trigger or a request is asked about: of a role that is bound to apps as well.
grant execute on function {schema}.is_no_other_apps_trigger(text, uuid), {schema}.is_no_other_apps_request(text, uuid) to {dispatcher};
-- What dead letters' handlers are emitted is noted for their roots, and forgotten by upkeep.
grant insert, delete on {schema}.root_rows to {dispatcher};
-- Upkeep: what no index needs any more.
grant delete on {schema}.trigger_changes to {dispatcher};
-- Rows that cannot be understood, and when nobody needs to know of them any more. Locked before they are deleted, for which
-- Postgres wants the right to update.
grant select, insert, update (set_aside_at), delete on {schema}.set_aside to {dispatcher};
-- What it changes it writes into the audit, and cannot change there. The id, the time, the login and the application are the database's.
grant select, insert (app_id, action, operation, resource, principal, caller, bound_by, before, after, host, pid, origin) on {schema}.audit to {dispatcher};
grant usage on sequence {schema}.audit_sequence to {dispatcher};
`,
  emitter: `-- Emits, asks, writes triggers and pauses, lists, replays and discards dead letters. Only a dispatcher takes a row out of the
-- outbox: an emitter that cancels a delivery writes that it is withdrawn, and a dispatcher carries it out. What a principal may do
-- is not the emitter's to say.
grant usage on schema {schema} to {emitter};
grant select on
  {schema}.migration_checksums, {schema}.triggers, {schema}.trigger_epochs, {schema}.trigger_changes, {schema}.trigger_limits,
  {schema}.pauses, {schema}.principals, {schema}.outbox, {schema}.dispatchers, {schema}.dedupe_keys, {schema}.replies,
  {schema}.abandoned_executions, {schema}.dead_letters, {schema}.attempts, {schema}.withdrawals, {schema}.set_aside
  to {emitter};
grant select on {schema}.app_quotas, {schema}.root_rows to {emitter};

-- Not its id, attempt, lease or errors: those are the dispatcher's to write.
grant insert (priority, due_at, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, chain, ordering_key,
  single, trace_context, dedupe_key, replay_of, reply_to, reply_by, emitted_at, replayed_at, paused,
  caller) on {schema}.outbox to {emitter};
-- A caller that leaves; rows that are withdrawn are set aside by \`paused\`. Processes of before also let go rows of resumed triggers.
grant update (reply_by, paused) on {schema}.outbox to {emitter};
grant insert, update, delete on {schema}.dedupe_keys to {emitter};
grant insert on {schema}.withdrawals, {schema}.root_rows to {emitter};
-- A key's row is locked, for which Postgres wants the right to update. Never deleted.
grant select, insert, update (taken_at) on {schema}.ordering_locks to {emitter};

grant insert, update, delete on {schema}.triggers to {emitter};
-- By column, and by no table: whoever may write any of its rows by the table may lock all of it, and every app emits by it.
grant insert (app_id, epoch), update (epoch) on {schema}.trigger_epochs to {emitter};
grant insert on {schema}.trigger_changes to {emitter};
grant insert (trigger_id, app_id, concurrency, rate_limit), update (concurrency, rate_limit) on {schema}.trigger_limits to {emitter};
grant insert, update, delete on {schema}.pauses to {emitter};
grant usage on sequence {schema}.trigger_epoch_sequence to {emitter};
-- Under row security what is written under the id of a trigger or a request is asked about.
grant execute on function {schema}.is_no_other_apps_trigger(text, uuid), {schema}.is_no_other_apps_request(text, uuid) to {emitter};
-- Whoever registers a trigger becomes known, without any roles.
grant insert (app_id, id) on {schema}.principals to {emitter};

-- Replies are taken, and those that nobody waited for are abandoned executions.
grant update (taken_at), delete on {schema}.replies to {emitter};
grant insert on {schema}.abandoned_executions to {emitter};
-- Replayed, discarded. Never deleted.
grant update (resolution, resolved_at) on {schema}.dead_letters to {emitter};
-- What it changes it writes into the audit, and cannot change there. The id, the time, the login and the application are the database's.
grant select, insert (app_id, action, operation, resource, principal, caller, bound_by, before, after, host, pid, origin) on {schema}.audit to {emitter};
grant usage on sequence {schema}.audit_sequence to {emitter};
`,
  everybody: `-- What Postgres gives to everybody by itself goes: to execute a new function, to use a new type. So does what somebody gave to
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
`,
  migrator: `-- The migrator owns the schema and what is in it. What another role made before, such as a member of the migrator's, is
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
`,
  partitions: `-- A partition is reached through its table. What anybody was given on one, by name or by default privileges, goes: rights go by
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
`,
  plugins: `-- Tables of plugins are written by their verbs, in the emitter, and by their \`start\`, in the dispatcher: both may write all of
-- them. A table is a plugin's if it is not named here. Partitions are reached through their table and get nothing.
do $$
declare
  thing record;
begin
  for thing in
    select c.relname as name, c.relkind as kind from pg_class c
    where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('r', 'p', 'v', 'S') and not c.relispartition
      and c.relname <> all (array['triggers', 'trigger_epochs', 'trigger_epoch_sequence', 'trigger_changes', 'trigger_limits', 'trigger_starts', 'pauses',
        'principals', 'outbox', 'claim_notes', 'dispatchers', 'dedupe_keys', 'ordering_locks', 'replies', 'abandoned_executions', 'dead_letters',
        'cancellations', 'withdrawals', 'set_aside', 'app_quotas', 'root_rows', 'attempts', 'attempt_sequence', 'audit', 'audit_sequence', 'migration_checksums', 'role_apps'])
      and c.relname not in (select 'migrations_' || line from {schema}.migration_checksums)
      and not exists (select from {schema}.migration_checksums where c.relname = 'migrations_' || line || '_id_seq')
      -- Nobody needs a right for the sequence of an identity column.
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and c.relkind = 'S' and d.deptype = 'i')
  loop
    execute case thing.kind
      when 'S' then format('grant usage on sequence {schema}.%I to {role}', thing.name)
      when 'v' then format('grant select on {schema}.%I to {role}', thing.name)
      else format('grant select, insert, update, delete on {schema}.%I to {role}', thing.name)
    end;
  end loop;
end
$$;
`,
  reader: `-- Looks at everything, plugins' tables too, and changes nothing. A partition is read through its table: by its own name it would
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
`,
  'row-security-off': `-- The bindings in role_apps stay.
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
`,
  'row-security': `-- Which apps a role is bound to, and with it every role that has its rights. Written by the migrator:
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
`,
  withdraw: `-- Anything that an earlier version granted and this one does not goes. In the transaction that grants anew: nobody sees a gap.
revoke all on all tables in schema {schema} from {role};
revoke all on all sequences in schema {schema} from {role};
revoke all on all routines in schema {schema} from {role};
revoke all on schema {schema} from {role};

-- So does what the role, or everybody, is to be given on whatever is made in the schema later.
do $$
declare
  given record;
begin
  for given in
    select distinct r.rolname as maker, case a.grantee when 0 then 'public' else '{role}' end as grantee,
      case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'routines' when 'T' then 'types' end as kind
    from pg_default_acl d join pg_roles r on r.oid = d.defaclrole cross join lateral aclexplode(d.defaclacl) a
    where d.defaclnamespace = '{schema}'::regnamespace and a.grantee in (0::oid, '{role}'::regrole::oid)
      and pg_has_role(current_user, d.defaclrole, 'member')
  loop
    execute format('alter default privileges for role %I in schema {schema} revoke all on %s from %s', given.maker, given.kind, given.grantee);
  end loop;
end
$$;
`,
}
