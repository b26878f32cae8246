// Made of the .sql files, which are what is edited. `npm test -- -u` makes it anew, and a test compares.
export const migrations: Readonly<Record<string, string>> = {
  '0001_create_entries': `create table {schema}.bookings_entries (
  id bigint generated always as identity primary key,
  app_id text not null,
  topic text not null,
  body json not null,
  written_at timestamptz not null default clock_timestamp()
);
create index bookings_entries_of_app on {schema}.bookings_entries (app_id, id);
`,
  '0002_reserve_rooms': `create table {schema}.bookings_rooms (
  app_id text not null,
  room text not null,
  primary key (app_id, room)
);
`,
}
