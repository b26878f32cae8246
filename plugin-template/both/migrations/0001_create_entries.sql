create table {schema}.plugin_name_entries (
  id bigint generated always as identity primary key,
  app_id text not null,
  topic text not null,
  body json not null,
  written_at timestamptz not null default clock_timestamp()
);
create index plugin_name_entries_of_app on {schema}.plugin_name_entries (app_id, id);
