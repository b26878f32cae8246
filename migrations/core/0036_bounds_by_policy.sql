-- outbus: older processes may run and start
--
-- Postgres reads and plans a check constraint anew with each statement: this one was a seventh of what a lone emit costs. A policy
-- is planned once, with the statement. It holds where row security is on, for logins that are trusted with their own app only.
-- Whoever may write rows of every app is not kept from writing large ones.
alter table {schema}.outbox drop constraint outbox_is_within_bounds;
create policy within_bounds on {schema}.outbox as restrictive using (true) with check (
  priority between 0 and 2 and single between 0 and 2
  and (pg_column_size(event) <= 4096 or octet_length(event::text) <= 33554432)
  and (pg_column_size(trigger) <= 4096 or octet_length(trigger::text) <= 1000000)
  and (chain is null or pg_column_size(chain) <= 65536)
  and (trace_context is null or octet_length(trace_context) <= 1024)
  and (reply_to is null or octet_length(reply_to) <= 1024)
  and (dedupe_key is null or octet_length(dedupe_key) <= 1024)
  and (caller is null or octet_length(caller) <= 1024)
);
