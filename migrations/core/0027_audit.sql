-- outbus: older processes may run and start
--
-- Who changed what: one row for each change that a person or a tool makes through the bus, written in the transaction that makes it.
-- Rows are only added. Older processes add none.
create sequence {schema}.audit_sequence;
create table {schema}.audit (
  id bigint not null default nextval('{schema}.audit_sequence'),
  -- Empty: of no app, such as rights that were granted to a role of Postgres.
  app_id text not null,
  at timestamptz not null default clock_timestamp(),
  -- As the authorizer was asked about it, such as `trigger.update`, and the call, such as `triggers.disable`.
  action text not null,
  operation text not null,
  -- The id of what was changed; null where it is more than one thing.
  resource text,
  -- Null: the service. The caller is who emitted what a handler handled; `bound_by` are those whose rights were asked for as well.
  principal text,
  caller text,
  bound_by text[] not null default '{}',
  -- Null: there was nothing, or there is nothing any more.
  before jsonb,
  after jsonb,
  -- The process, and what its context said of where the call came from.
  host text,
  pid integer,
  origin text,
  -- By the database, whatever the process says.
  application text not null default current_setting('application_name'),
  login text not null default session_user,
  constraint audit_is_within_bounds check (
    pg_column_size(before) <= 65536 and pg_column_size(after) <= 65536
    and octet_length(action) <= 256 and octet_length(operation) <= 256 and octet_length(resource) <= 1024
    and octet_length(principal) <= 1024 and octet_length(caller) <= 1024 and pg_column_size(bound_by) <= 8192
    and octet_length(host) <= 1024 and octet_length(origin) <= 1024
  )
) partition by range (at);
create index audit_of_app on {schema}.audit (app_id, id);
-- Takes what no day is there for, so that no change ever fails for want of one.
create table {schema}.audit_other_days partition of {schema}.audit default;
alter table {schema}.audit_other_days enable row level security;

-- The days of a table that is kept by day, by the owner of the table, so that whoever dispatches needs no right to create tables. A new
-- day is made beside its table and attached to it: that waits for nobody who writes. Whatever has to wait gives up soon, since
-- others would wait behind it.
create function {schema}.add_day(kept text, day date) returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
  partition constant text := kept || '_' || to_char(day, 'YYYYMMDD');
  begins constant timestamptz := day::timestamp at time zone 'UTC';
  ends constant timestamptz := (day + 1)::timestamp at time zone 'UTC';
begin
  if kept not in ('attempts', 'audit') then
    raise exception 'the table % is not kept by day', kept;
  end if;
  if to_regclass(format('{schema}.%I', partition)) is not null then
    return;
  end if;
  -- One at a time. Nobody who reads or writes is held up by it.
  execute format('lock table only {schema}.%I in share update exclusive mode', kept);
  if to_regclass(format('{schema}.%I', partition)) is not null then
    return;
  end if;
  -- A day that began among the others ends there.
  if kept = 'audit' and exists (select from {schema}.audit_other_days where at >= begins and at < ends) then
    return;
  end if;
  execute format('create table {schema}.%I (like {schema}.%I including all)', partition, kept);
  execute format('alter table {schema}.%I enable row level security', partition);
  execute format('alter table {schema}.%I attach partition {schema}.%I for values from (%L) to (%L)', kept, partition, begins, ends);
end
$$;

create function {schema}.drop_days(kept text, before_day date) returns integer language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '1s' as $$
declare
  partition record;
  dropped integer := 0;
begin
  if kept not in ('attempts', 'audit') then
    raise exception 'the table % is not kept by day', kept;
  end if;
  -- Whoever dispatches may call this: it does not get at what somebody did lately.
  if kept = 'audit' then
    before_day := least(before_day, (now() at time zone 'UTC')::date - 30);
  end if;
  for partition in
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = format('{schema}.%I', kept)::regclass and c.relname < kept || '_' || to_char(before_day, 'YYYYMMDD')
  loop
    execute format('drop table {schema}.%I', partition.name);
    dropped := dropped + 1;
  end loop;
  if kept = 'audit' then
    delete from {schema}.audit_other_days where at < before_day::timestamp at time zone 'UTC';
  end if;
  return dropped;
end
$$;

-- What older processes call is the same mechanism.
create or replace function {schema}.add_attempts_partition(day date) returns void language sql security definer
set search_path = pg_catalog, pg_temp as $$ select {schema}.add_day('attempts', day) $$;
create or replace function {schema}.drop_attempts_partitions(before date) returns integer language sql security definer
set search_path = pg_catalog, pg_temp as $$ select {schema}.drop_days('attempts', before) $$;

select {schema}.add_day('audit', (now() at time zone 'UTC')::date + days) from generate_series(-1, 1) as days;
