-- Attempts that are kept, in a table a day, dropped as a whole.
create sequence {schema}.attempt_sequence;
create table {schema}.attempts (
  id bigint not null default nextval('{schema}.attempt_sequence'),
  app_id text not null,
  delivery_id bigint not null,
  event_id uuid not null,
  trigger_id uuid not null,
  trigger_name text not null,
  source text not null,
  attempt integer not null,
  -- Null where nobody could say: whoever ran it was gone.
  started_at timestamptz,
  ended_at timestamptz not null,
  outcome text not null,
  error jsonb,
  reason text
) partition by range (ended_at);
create index attempts_of_app on {schema}.attempts (app_id, id);
create index attempts_of_delivery on {schema}.attempts (app_id, delivery_id, id);

-- By the owner of the table, so that whoever dispatches needs no right to create tables.
create function {schema}.add_attempts_partition(day date) returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('{schema}.attempts', 0));
  execute format('create table if not exists {schema}.%I partition of {schema}.attempts for values from (%L) to (%L)',
    'attempts_' || to_char(day, 'YYYYMMDD'), day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
end
$$;

create function {schema}.drop_attempts_partitions(before date) returns integer language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare
  partition record;
  dropped integer := 0;
begin
  for partition in
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = '{schema}.attempts'::regclass and c.relname < 'attempts_' || to_char(before, 'YYYYMMDD')
  loop
    execute format('drop table {schema}.%I', partition.name);
    dropped := dropped + 1;
  end loop;
  return dropped;
end
$$;

create index abandoned_executions_by_age on {schema}.abandoned_executions (abandoned_at);
create index dead_letters_by_age on {schema}.dead_letters (died_at);
