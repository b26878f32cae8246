-- Drawn for every write, so that a document which was deleted and inserted again never has a version that it had before.
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
