-- outbus: older processes may run and start
--
-- While there is a backlog of requests, apps take turns. Each app's requests are found by their due time, behind however many of
-- other apps. `app_id > ''` is true of every row: looks that do not say it are not planned by these indexes.
create index outbox_requests_of_app on {schema}.outbox (app_id, due_at, id)
  where reply_to is not null and reply_by is not null and single = 0 and app_id > '';
create index outbox_submitted_of_app on {schema}.outbox (app_id, due_at, id)
  where reply_to is not null and reply_by is null and single = 0 and app_id > '';
