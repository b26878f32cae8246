-- outbus: older processes may run and start
--
-- A partition is reached through its table, whose rights and policies count. By its own name nobody but the owner reads or
-- writes it, whatever default privileges give: row security is on, and there is no policy.
do $$
declare
  partition regclass;
begin
  for partition in
    select i.inhrelid::regclass from pg_inherits i where i.inhparent = '{schema}.attempts'::regclass
  loop
    execute format('alter table %s enable row level security', partition);
  end loop;
end
$$;

-- Only the owner may take this lock of the table, so no other login can hold up a new day. A day is made beside the table and
-- attached, which waits for no reader and for no writer. Whoever holds it longer than five seconds makes the call fail (55P03).
create or replace function {schema}.add_attempts_partition(day date) returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
  name constant text := 'attempts_' || to_char(day, 'YYYYMMDD');
begin
  lock table only {schema}.attempts in share update exclusive mode;
  if exists (
    select from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = '{schema}.attempts'::regclass and c.relname = name
  ) then
    return;
  end if;
  execute format('create table {schema}.%I (like {schema}.attempts including defaults including constraints)', name);
  execute format('alter table {schema}.%I enable row level security', name);
  execute format('alter table {schema}.attempts attach partition {schema}.%I for values from (%L) to (%L)',
    name, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
end
$$;

-- It waits for every reader of the table, and whoever records an attempt waits behind it. So it gives up after a second (55P03),
-- and the next round of upkeep tries again.
alter function {schema}.drop_attempts_partitions(date) set lock_timeout = '1s';
