// Made of the .sql files, which are what is edited. `npm test -- -u` makes it anew, and a test compares.
export const migrations: Readonly<Record<string, string>> = {
  '0001_create_kv_entries': `-- Drawn for every write, so that a key which was deleted and set again never has a version that it had before:
-- a writer who read the old entry cannot overwrite the new one.
create sequence {schema}.kv_version_sequence;

create table {schema}.kv_entries (
  app_id text not null,
  collection text not null,
  -- "C": prefixes and cursors go by code point, whatever the database's collation.
  key text collate "C" not null,
  -- json, not jsonb: a value comes back as it was written.
  value json not null,
  version bigint not null,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (app_id, collection, key)
);
`,
  '0002_bounds_of_values': `-- outbus: older processes may run and start
--
-- A text of more than 512 MB ends the process that reads it. No bus writes one of more than 16 MiB; a login of the app could, by SQL.
alter table {schema}.kv_entries add constraint kv_entries_are_within_bounds check (
  (pg_column_size(value) <= 4096 or octet_length(value::text) <= 33554432)
) not valid;
`,
  '0003_bounds_by_policy': `-- outbus: older processes may run and start
--
-- Postgres reads and plans a check constraint anew with each statement, and a policy once. As core 0036.
alter table {schema}.kv_entries drop constraint kv_entries_are_within_bounds;
create policy within_bounds on {schema}.kv_entries as restrictive using (true) with check (
  pg_column_size(value) <= 4096 or octet_length(value::text) <= 33554432
);
`,
}
