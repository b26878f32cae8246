-- What each epoch changed, so that an index of one epoch becomes the next one's by what changed in between. The changes of
-- an app are made one after another (the row of trigger_epochs is their lock), so that its epochs are one line, and an epoch
-- that is seen here is part of every later one that is.
create table {schema}.trigger_changes (
  app_id text not null,
  epoch bigint not null,
  -- Null for what the app had before changes were kept.
  trigger_id uuid,
  changed_at timestamptz not null default clock_timestamp(),
  primary key (app_id, epoch)
);
create index trigger_changes_by_age on {schema}.trigger_changes (changed_at);
insert into {schema}.trigger_changes (app_id, epoch) select app_id, epoch from {schema}.trigger_epochs;
