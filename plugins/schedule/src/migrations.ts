// Made of the .sql files, which are what is edited. `npm test -- -u` makes it anew, and a test compares.
export const migrations: Readonly<Record<string, string>> = {
  '0001_create_schedules': `-- What is to happen when, per app. pg-boss keeps the time: dispatching processes hand it what changed here.
create table {schema}.schedules (
  -- pg-boss knows it by this.
  id uuid primary key,
  app_id text not null,
  name text not null,
  -- A cron expression of five fields, or a recurrence rule (RFC 5545).
  recurrence text not null,
  timezone text not null,
  missed text not null check (missed in ('skip', 'once')),
  data json not null,
  enabled boolean not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  -- Grows with every change.
  revision bigint not null default 1,
  -- Gone for everybody; the row stays until pg-boss has forgotten it.
  deleted boolean not null default false,
  -- Not yet handed to pg-boss.
  changed boolean not null default true
);
create unique index schedules_by_name on {schema}.schedules (app_id, name) where not deleted;
create index schedules_changed on {schema}.schedules (id) where changed;
`,
  '0002_look_again': `-- outbus: older processes may run and start
--
-- When a dispatching process looks again at what pg-boss was told: where the clock of a zone is put forward or back, pg-boss is told
-- the times one by one. What an older process hands over is looked at again by a newer one.
alter table {schema}.schedules add column look_again_at timestamptz not null default '-infinity';
create index schedules_to_look_at on {schema}.schedules (look_again_at) where enabled and not deleted;
`,
  '0003_callers': `-- outbus: older processes may run and start
--
-- Who set it: what fires is attributed to that principal. Null: the service. Empty: nobody has said, as of a schedule that was
-- there before, or that an older process has set; then nothing can be done in its caller's name.
alter table {schema}.schedules add column caller text default '';
`,
  '0004_apps': `-- outbus: older processes may run and start
--
-- Whoever makes a schedule holds the row of its app until the transaction ends: so schedules are counted one after another, and an app
-- never has more than its quota. A row says nothing by itself, and no WAL is written for it: a lock does not outlive its server.
create unlogged table {schema}.schedule_apps (
  app_id text primary key,
  taken_at timestamptz not null default clock_timestamp()
);

-- How many schedules the app has, counted up to \`most\`. Volatile, so that it sees what was committed while its statement waited for the
-- app's row.
create function {schema}.count_schedules(app text, most bigint) returns bigint language sql volatile
  set search_path = pg_catalog, pg_temp as $$
  select count(*) from (select from {schema}.schedules s where s.app_id = app and not s.deleted limit most) as counted
$$;
create function {schema}.has_schedule(app text, of_name text) returns boolean language sql volatile
  set search_path = pg_catalog, pg_temp as $$
  select exists (select from {schema}.schedules s where s.app_id = app and s.name = of_name and not s.deleted)
$$;
`,
  '0005_problems': `-- outbus: older processes may run and start
--
-- Why a schedule cannot be carried out. It is set aside by itself, and looked at again in an hour, or when it is set again. What an older
-- process sets aside has none.
alter table {schema}.schedules add column problem text;

-- What no bus writes: a row is read by whoever looks for changes of all apps.
alter table {schema}.schedules add constraint schedules_are_within_bounds check (
  char_length(recurrence) <= 2000 and char_length(timezone) <= 1000 and char_length(name) <= 1000 and char_length(problem) <= 2000
  and (pg_column_size(data) <= 4096 or octet_length(data::text) <= 33554432)
) not valid;
`,
  '0006_whose_change': `-- outbus: older processes may run and start
--
-- The revision that \`caller\` set. An older process changes a schedule and leaves its caller: then nobody has said who changed it.
alter table {schema}.schedules add column caller_revision bigint;
`,
  '0007_owners': `-- outbus: older processes may run and start
--
-- Whose schedule it is: the principal that set it first. Null: the service's, and of what was there before. Older processes set null.
alter table {schema}.schedules add column owner text;
`,
}
