-- outbus: older processes may run and start
--
-- Keys are read by every process that emits for the app, as the filter is: a text of hundreds of MB would end it. The bus stores none that
-- come near.
alter table {schema}.triggers add constraint triggers_keys_are_within_bounds check (pg_column_size(keys) <= 1000000) not valid;
