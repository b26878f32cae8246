-- outbus: older processes may run and start
--
-- Of what a limit counts, by its time: while some transaction pins the xmin horizon, everything that ran before stays in the
-- indexes, and a count begins behind it. The rate of a trigger is counted in a table that is only added to: a row that is
-- updated for each start leaves as many versions. Older processes count by `trigger_limits.starts`, and do not see these starts:
-- while they run beside newer ones, a trigger with `rateLimit` may start as many again.
create table {schema}.trigger_starts (
  trigger_id uuid not null,
  app_id text not null,
  started_at timestamptz not null,
  -- How many deliveries were started at once.
  deliveries integer not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
create index trigger_starts_by_time on {schema}.trigger_starts (trigger_id, started_at);

-- Of what runs under a lease, when the lease was set or extended.
drop index {schema}.outbox_single_running;
create index outbox_single_running on {schema}.outbox (trigger_id, due_set_at) where single > 0 and lease_token is not null;
-- In the order in which they come.
create index outbox_single_ids on {schema}.outbox (id) where single > 0;
