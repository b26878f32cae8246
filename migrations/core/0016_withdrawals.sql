-- Deliveries that somebody withdrew, cancelled or purged. Whoever says so sets the row in the outbox aside (`paused`) in the same
-- statement, so that nobody starts it from then on. A dispatcher carries it out: it takes the row out of the outbox, writes it to
-- the history and, where that was asked for, to the dead letters. So an emitter needs no right to delete from the outbox. What
-- runs at that moment is ended by the process that runs it.
--
-- outbus: older processes may run and start
-- An older dispatcher does not know this table: it may still run a delivery that was withdrawn while it dispatches.
create table {schema}.withdrawals (
  app_id text not null,
  delivery_id bigint not null,
  -- What the history says of one that was not started.
  outcome text not null check (outcome in ('dead', 'discarded')),
  dead_letter boolean not null,
  reason text not null,
  requested_at timestamptz not null default clock_timestamp(),
  primary key (app_id, delivery_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
