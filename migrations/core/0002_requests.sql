-- Requests: rows whose reply somebody waits for. They have lanes of their own, so they have an index of their own.
-- reply_by: when the caller's patience ends; moved to now when the caller leaves earlier, null where nobody waits and
-- the reply is to be kept.
alter table {schema}.outbox add column reply_by timestamptz;

drop index {schema}.outbox_due;
create index outbox_due on {schema}.outbox (priority, due_at, id) where not alone and reply_to is null;
-- Those that somebody waits for go first, however many were submitted.
create index outbox_requests on {schema}.outbox (due_at, id) where reply_to is not null and reply_by is not null;
create index outbox_submitted on {schema}.outbox (due_at, id) where reply_to is not null and reply_by is null;
create index outbox_requests_by_event on {schema}.outbox (event_id) where reply_to is not null;

-- Answered, and not known to be delivered. A request's id is the id of its event.
create table {schema}.replies (
  request_id uuid primary key,
  app_id text not null,
  delivery_id bigint not null,
  source text not null,
  trigger_id uuid not null,
  trigger_name text not null,
  -- The address of the inbox where the caller waits.
  reply_to text not null,
  reply_by timestamptz,
  reply json not null,
  emitted_at timestamptz not null,
  replied_at timestamptz not null default clock_timestamp(),
  taken_at timestamptz
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index replies_by_deadline on {schema}.replies (reply_by) where taken_at is null;
create index replies_by_age on {schema}.replies (replied_at) where taken_at is not null or reply_by is null;

-- Executions whose caller was gone when the reply came: exactly one row each (G8).
create table {schema}.abandoned_executions (
  request_id uuid primary key,
  app_id text not null,
  delivery_id bigint not null,
  source text not null,
  trigger_id uuid not null,
  trigger_name text not null,
  reply json not null,
  emitted_at timestamptz not null,
  replied_at timestamptz not null,
  abandoned_at timestamptz not null default clock_timestamp()
);
create index abandoned_executions_of_app on {schema}.abandoned_executions (app_id, request_id);
