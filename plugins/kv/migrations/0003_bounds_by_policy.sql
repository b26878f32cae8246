-- outbus: older processes may run and start
--
-- Postgres reads and plans a check constraint anew with each statement, and a policy once. As core 0036.
alter table {schema}.kv_entries drop constraint kv_entries_are_within_bounds;
create policy within_bounds on {schema}.kv_entries as restrictive using (true) with check (
  pg_column_size(value) <= 4096 or octet_length(value::text) <= 33554432
);
