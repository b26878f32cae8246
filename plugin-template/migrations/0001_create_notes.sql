create table {schema}.notes (
  id bigint generated always as identity primary key,
  app_id text not null,
  topic text not null,
  body json not null,
  written_at timestamptz not null default clock_timestamp()
);
create index notes_of_app on {schema}.notes (app_id, id);
