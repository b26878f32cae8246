// Made of the .sql files, which are what is edited. `npm test -- -u` makes it anew, and a test compares.
export const migrations: Readonly<Record<string, string>> = {
  '0001_create_documents': `-- Drawn for every write, so that a document which was deleted and inserted again never has a version that it had before.
create sequence {schema}.docs_version_sequence;

create table {schema}.docs_documents (
  app_id text not null,
  collection text not null,
  -- "C": cursors go by code point, whatever the database's collation.
  id text collate "C" not null,
  -- jsonb, for containment.
  content jsonb not null,
  version bigint not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  primary key (app_id, collection, id)
);
create index docs_documents_content on {schema}.docs_documents using gin (content jsonb_path_ops);
`,
  '0002_bounds_of_contents': `-- outbus: older processes may run and start
--
-- A text of more than 512 MB ends the process that reads it. No bus writes one of more than 16 MiB; a login of the app could, by SQL.
alter table {schema}.docs_documents add constraint docs_documents_are_within_bounds check (
  jsonb_typeof(content) = 'object' and (pg_column_size(content) <= 4096 or octet_length(content::text) <= 67108864)
) not valid;
`,
}
