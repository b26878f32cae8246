create table {schema}.bookings_entries (
  id bigint generated always as identity primary key,
  app_id text not null,
  topic text not null,
  body json not null,
  written_at timestamptz not null default clock_timestamp()
);
create index bookings_entries_of_app on {schema}.bookings_entries (app_id, id);
