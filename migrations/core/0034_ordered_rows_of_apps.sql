-- outbus: older processes may run and start
--
-- Rows in order that are due, by app: neither rows that wait for their time nor rows of other apps lie between them. `app_id > ''` is true of
-- every row: looks that do not say it are not planned by this index.
create index outbox_ordered_of_app on {schema}.outbox (app_id, due_at, id)
  where ordering_key is not null and not alone and not paused and app_id > '';
