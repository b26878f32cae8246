-- Rows that are taken one by one, under a lease, never in batches: those of triggers with a limit, and those whose
-- handler gets a transaction.
alter table {schema}.triggers
  add column transactional boolean not null default false,
  -- Deliveries that run at a time, over all processes.
  add column concurrency integer,
  -- Starts within any second; below one, one start in 1 / rate_limit seconds.
  add column rate_limit double precision,
  add constraint triggers_ordered_stands_alone
    check (not ordered or (not transactional and concurrency is null and rate_limit is null));

-- 0: claimed in batches, or as a request. 1: one by one, for its trigger has a limit. 2: one by one, in a transaction of
-- the handler's, with or without a limit.
alter table {schema}.outbox add column single smallint not null default 0;
alter table {schema}.dead_letters add column single smallint not null default 0;

drop index {schema}.outbox_due;
create index outbox_due on {schema}.outbox (priority, due_at, id)
  where not alone and reply_to is null and ordering_key is null and single = 0;
create index outbox_single on {schema}.outbox (single, trigger_id, priority desc, due_at, id)
  where single > 0 and not alone;
create index outbox_single_running on {schema}.outbox (trigger_id) where single > 0 and lease_token is not null;

-- Of triggers that have a limit, or had one. It stays as long as there are rows, whatever becomes of the trigger.
create table {schema}.trigger_limits (
  trigger_id uuid primary key,
  app_id text not null,
  concurrency integer,
  rate_limit double precision,
  -- When the newest deliveries were started: those that the rate still counts.
  starts timestamptz[] not null default '{}',
  -- Who holds the row's lock: what one statement of a transaction locked, the next one finds by it.
  holder uuid
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
