-- outbus: older processes may run and start
--
-- A text of more than 512 MB ends the process that reads it. No bus writes one of more than 16 MiB; a login of the app could, by SQL.
alter table {schema}.docs_documents add constraint docs_documents_are_within_bounds check (
  jsonb_typeof(content) = 'object' and (pg_column_size(content) <= 4096 or octet_length(content::text) <= 67108864)
) not valid;
