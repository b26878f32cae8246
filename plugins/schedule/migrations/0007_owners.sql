-- outbus: older processes may run and start
--
-- Whose schedule it is: the principal that set it first. Null: the service's, and of what was there before. Older processes set null.
alter table {schema}.schedules add column owner text;
