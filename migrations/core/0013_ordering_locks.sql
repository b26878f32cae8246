-- Whoever emits to an ordering key of an ordered trigger holds the row of that key here until its transaction ends. So ids are
-- drawn in the order of commits. A row lock costs no shared memory, however many keys one transaction writes to, and only a role
-- that may emit for the app can take one. A row says nothing by itself: dispatchers remove those older than a minute.
--
-- Unlogged: a lock does not outlive its server, and a server that was ended or promoted begins with an empty table.
--
-- Older processes may run beside this migration and start beside it. They hold an advisory lock for each key instead, and
-- newer ones take that lock as well, for the first 32 keys of a transaction. What a transaction writes to more keys than
-- that is not in order with what an older process emits to the same key at the same moment.
create unlogged table {schema}.ordering_locks (
  app_id text not null,
  trigger_id uuid not null,
  key_hash bigint not null,
  taken_at timestamptz not null default clock_timestamp(),
  primary key (app_id, trigger_id, key_hash)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
