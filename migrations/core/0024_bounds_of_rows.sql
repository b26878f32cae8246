-- outbus: older processes may run and start
--
-- What no bus writes is refused at the door, where whoever reads it could not get past it: a value of a level that no lane takes stays
-- for ever, and a text of more than 512 MB ends the process that reads it. The bounds are wider than those of every API. To
-- take the size of a value that may be compressed costs a copy, so it is taken of large ones only: nothing is compressed to less
-- than a 255th.
with gone as (
  delete from {schema}.outbox
  where priority not between 0 and 2 or single not between 0 and 2
    or (pg_column_size(event) > 100000 and octet_length(event::text) > 33554432)
    or (pg_column_size(trigger) > 4096 and octet_length(trigger::text) > 1000000)
    or pg_column_size(chain) > 65536
    or octet_length(trace_context) > 1024 or octet_length(reply_to) > 1024 or octet_length(dedupe_key) > 1024 or octet_length(caller) > 1024
  returning app_id, id
)
insert into {schema}.set_aside (app_id, kind, row_id, reason)
select app_id, 'delivery', id::text, 'no bus writes such a row; it was removed when this bound came' from gone
on conflict (app_id, kind, row_id) do nothing;

alter table {schema}.outbox add constraint outbox_is_within_bounds check (
  priority between 0 and 2 and single between 0 and 2
  and (pg_column_size(event) <= 4096 or octet_length(event::text) <= 33554432)
  and (pg_column_size(trigger) <= 4096 or octet_length(trigger::text) <= 1000000)
  and pg_column_size(chain) <= 65536
  and octet_length(trace_context) <= 1024 and octet_length(reply_to) <= 1024 and octet_length(dedupe_key) <= 1024 and octet_length(caller) <= 1024
) not valid;

alter table {schema}.triggers add constraint triggers_are_within_bounds check (
  priority between 0 and 2
  and pg_column_size(filter) <= 4194304 and pg_column_size(target) <= 1000000 and pg_column_size(retry) <= 65536
  and octet_length(name) <= 1024 and octet_length(source) <= 1024 and octet_length(registrant) <= 1024
) not valid;
