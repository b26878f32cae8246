-- outbus: older processes may run and start
--
-- Rows in order are found by their trigger and key. While some transaction pins the xmin horizon, what ran before lies in front of each
-- key's first row. This index has them in the order in which they come, so that a look can begin behind all of that.
create index outbox_ordered_ids on {schema}.outbox (id) where ordering_key is not null;
