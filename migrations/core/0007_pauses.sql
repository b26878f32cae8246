-- Paused triggers, and whole apps: their rows wait where no claim walks over them.
create table {schema}.pauses (
  app_id text not null,
  -- 00000000-0000-0000-0000-000000000000: all of the app's.
  trigger_id uuid not null,
  paused_at timestamptz not null default clock_timestamp(),
  primary key (app_id, trigger_id)
);
alter table {schema}.outbox add column paused boolean not null default false;

drop index {schema}.outbox_due;
create index outbox_due on {schema}.outbox (priority, due_at, id)
  where not alone and reply_to is null and ordering_key is null and single = 0 and not paused;
create index outbox_paused on {schema}.outbox (app_id, trigger_id) where paused;

-- Deliveries that are to be ended while they run.
create table {schema}.cancellations (
  delivery_id bigint primary key,
  app_id text not null,
  reason text not null,
  requested_at timestamptz not null default clock_timestamp()
);
