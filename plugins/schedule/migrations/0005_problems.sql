-- outbus: older processes may run and start
--
-- Why a schedule cannot be carried out. It is set aside by itself, and looked at again in an hour, or when it is set again. What an older
-- process sets aside has none.
alter table {schema}.schedules add column problem text;

-- What no bus writes: a row is read by whoever looks for changes of all apps.
alter table {schema}.schedules add constraint schedules_are_within_bounds check (
  char_length(recurrence) <= 2000 and char_length(timezone) <= 1000 and char_length(name) <= 1000 and char_length(problem) <= 2000
  and (pg_column_size(data) <= 4096 or octet_length(data::text) <= 33554432)
) not valid;
