-- What an app may have and do, where that is not the default. A null is the default. Only the owner of the tables writes it, by
-- `bus.apps.setQuotas` or by SQL; emitters and dispatchers read it.
--
-- outbus: older processes may run and start
-- Older processes do not know of quotas. They refuse nothing; what they write counts all the same.
create table {schema}.app_quotas (
  app_id text primary key,
  triggers bigint check (triggers >= 0),
  schedules bigint check (schedules >= 0),
  rows_per_emit bigint check (rows_per_emit >= 0),
  bytes_per_emit bigint check (bytes_per_emit >= 0),
  rows_waiting bigint check (rows_waiting >= 0),
  rows_per_root bigint check (rows_per_root >= 0),
  emits_per_second double precision check (emits_per_second >= 0 and emits_per_second < 'infinity'),
  updated_at timestamptz not null default clock_timestamp()
);

-- Quotas are read with the triggers of the app, and kept with their index. So a change moves the app's epoch on, whoever makes it,
-- and each process honours it as it honours a changed trigger. A row that is removed with its app makes no new epoch.
create function {schema}.app_quotas_changed() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    update {schema}.trigger_epochs e set epoch = greatest(nextval('{schema}.trigger_epoch_sequence'), e.epoch + 1)
    where e.app_id = old.app_id;
    return null;
  end if;
  with moved as (
    insert into {schema}.trigger_epochs as e (app_id, epoch)
    values (new.app_id, greatest(nextval('{schema}.trigger_epoch_sequence'),
      (select max(c.epoch) + 1 from {schema}.trigger_changes c where c.app_id = new.app_id)))
    on conflict (app_id) do update set epoch = greatest(excluded.epoch, e.epoch + 1)
    returning e.app_id, e.epoch, e.content_id, e.follows
  )
  insert into {schema}.trigger_changes (app_id, epoch, content_id, follows)
  select app_id, epoch, content_id, follows from moved;
  return null;
end
$$;
create trigger changed after insert or update or delete on {schema}.app_quotas
  for each row execute function {schema}.app_quotas_changed();

-- How many triggers the app has, counted up to `most`. Volatile, so that it sees what was committed while its statement waited for the
-- row in trigger_epochs, which is the lock of all who change triggers of the app.
create function {schema}.count_triggers(app text, most bigint) returns bigint language sql volatile
  set search_path = pg_catalog, pg_temp as $$
  select count(*) from (select from {schema}.triggers t where t.app_id = app limit most) as counted
$$;

-- Rows that root events have caused, noted by processes that emit for them, a hundredth of the quota at a time: nobody updates a row, so
-- that nobody waits for another one. Roots that cause less have no row. Upkeep removes what is older than a week.
create table {schema}.root_rows (
  app_id text not null,
  root_id uuid not null,
  rows bigint not null,
  noted_at timestamptz not null default clock_timestamp()
);
create index root_rows_of_root on {schema}.root_rows (app_id, root_id);
create index root_rows_by_age on {schema}.root_rows (noted_at);
