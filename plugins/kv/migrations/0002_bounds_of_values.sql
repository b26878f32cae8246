-- outbus: older processes may run and start
--
-- A text of more than 512 MB ends the process that reads it. No bus writes one of more than 16 MiB; a login of the app could, by SQL.
alter table {schema}.kv_entries add constraint kv_entries_are_within_bounds check (
  (pg_column_size(value) <= 4096 or octet_length(value::text) <= 33554432)
) not valid;
