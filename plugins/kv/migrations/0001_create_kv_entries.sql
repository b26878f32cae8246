-- Drawn for every write, so that a key which was deleted and set again never has a version that it had before:
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
