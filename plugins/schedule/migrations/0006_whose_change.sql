-- outbus: older processes may run and start
--
-- The revision that `caller` set. An older process changes a schedule and leaves its caller: then nobody has said who changed it.
alter table {schema}.schedules add column caller_revision bigint;
