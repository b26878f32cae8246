-- outbus: older processes may run and start
--
-- Whoever makes a schedule holds the row of its app until the transaction ends: so schedules are counted one after another, and an app
-- never has more than its quota. A row says nothing by itself, and no WAL is written for it: a lock does not outlive its server.
create unlogged table {schema}.schedule_apps (
  app_id text primary key,
  taken_at timestamptz not null default clock_timestamp()
);

-- How many schedules the app has, counted up to `most`. Volatile, so that it sees what was committed while its statement waited for the
-- app's row.
create function {schema}.count_schedules(app text, most bigint) returns bigint language sql volatile
  set search_path = pg_catalog, pg_temp as $$
  select count(*) from (select from {schema}.schedules s where s.app_id = app and not s.deleted limit most) as counted
$$;
create function {schema}.has_schedule(app text, of_name text) returns boolean language sql volatile
  set search_path = pg_catalog, pg_temp as $$
  select exists (select from {schema}.schedules s where s.app_id = app and s.name = of_name and not s.deleted)
$$;
