-- What is to happen when, per app. pg-boss keeps the time: dispatching processes hand it what changed here.
create table {schema}.schedules (
  -- pg-boss knows it by this.
  id uuid primary key,
  app_id text not null,
  name text not null,
  -- A cron expression of five fields, or a recurrence rule (RFC 5545).
  recurrence text not null,
  timezone text not null,
  missed text not null check (missed in ('skip', 'once')),
  data json not null,
  enabled boolean not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  -- Grows with every change.
  revision bigint not null default 1,
  -- Gone for everybody; the row stays until pg-boss has forgotten it.
  deleted boolean not null default false,
  -- Not yet handed to pg-boss.
  changed boolean not null default true
);
create unique index schedules_by_name on {schema}.schedules (app_id, name) where not deleted;
create index schedules_changed on {schema}.schedules (id) where changed;
