create table {schema}.things (
  app_id text not null,
  name text not null,
  primary key (app_id, name)
);
