create table {schema}.things (app_id text not null, primary key (no_such_column));
