-- Whom executions run as. A principal becomes known with the first trigger that it registers; what it may do is read
-- here whenever it does something, and whenever something runs in its name.
create table {schema}.principals (
  app_id text not null,
  id text not null,
  roles text[] not null default '{}',
  disabled boolean not null default false,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  primary key (app_id, id)
);
-- Whoever registered a trigger before this table was there is known.
insert into {schema}.principals (app_id, id)
select distinct app_id, registrant from {schema}.triggers where registrant is not null;
