-- Whether the handlers of dead letters have been told of it. Those that died before there were any handlers count as told.
alter table {schema}.dead_letters add column announced boolean not null default true;
alter table {schema}.dead_letters alter column announced set default false;
create index dead_letters_unannounced on {schema}.dead_letters (id) where not announced;
