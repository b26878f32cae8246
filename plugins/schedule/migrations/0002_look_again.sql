-- outbus: older processes may run and start
--
-- When a dispatching process looks again at what pg-boss was told: where the clock of a zone is put forward or back, pg-boss is told
-- the times one by one. What an older process hands over is looked at again by a newer one.
alter table {schema}.schedules add column look_again_at timestamptz not null default '-infinity';
create index schedules_to_look_at on {schema}.schedules (look_again_at) where enabled and not deleted;
