-- Ordered triggers: one row after another per (trigger, ordering key). From here on a row has an ordering key only if
-- its trigger is ordered; rows without one are nobody's successors.
alter table {schema}.triggers add column ordered boolean not null default false;
update {schema}.outbox set ordering_key = null where ordering_key is not null;
update {schema}.dead_letters set ordering_key = null where ordering_key is not null;

drop index {schema}.outbox_due;
create index outbox_due on {schema}.outbox (priority, due_at, id) where not alone and reply_to is null and ordering_key is null;
create index outbox_ordered on {schema}.outbox (trigger_id, ordering_key, id) where ordering_key is not null;
