// Made of the .sql files, which are what is edited. `npm test -- -u` makes it anew, and a test compares.
export const migrations: Readonly<Record<string, string>> = {
  '0001_create_entries': `create table {schema}.plugin_name_entries (
  id bigint generated always as identity primary key,
  app_id text not null,
  topic text not null,
  body json not null,
  written_at timestamptz not null default clock_timestamp()
);
create index plugin_name_entries_of_app on {schema}.plugin_name_entries (app_id, id);
`,
}
