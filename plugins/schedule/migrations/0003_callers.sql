-- outbus: older processes may run and start
--
-- Who set it: what fires is attributed to that principal. Null: the service. Empty: nobody has said, as of a schedule that was
-- there before, or that an older process has set; then nothing can be done in its caller's name.
alter table {schema}.schedules add column caller text default '';
