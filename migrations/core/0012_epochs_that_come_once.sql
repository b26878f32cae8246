-- An epoch's number comes again in a database that has lost commits, was restored or was reset, for other triggers than before.
-- So each epoch has a random token beside its number, which no database hands out twice. The number alone says the order.
alter table {schema}.trigger_epochs
  add column token uuid not null default gen_random_uuid(),
  -- The epoch that this one was made from. Null for an app's first.
  add column follows text;
alter table {schema}.trigger_epochs
  -- Names one content of the app's triggers for ever: emits compare it, and indexes are kept under it.
  add column content_id text not null generated always as (epoch || '.' || token) stored;

-- By the database and not by the statements that move an epoch on: older programs run beside this schema, and know the number alone.
create function {schema}.renew_trigger_epoch() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  new.token := gen_random_uuid();
  new.follows := old.content_id;
  return new;
end
$$;
create trigger renew before update on {schema}.trigger_epochs for each row execute function {schema}.renew_trigger_epoch();

-- Each change says what it led to and from where, so that a change that is missing in between is seen to be missing. Null where an
-- older program noted it: indexes of such an epoch are loaded as a whole.
alter table {schema}.trigger_changes add column content_id text, add column follows text;
update {schema}.trigger_changes c set content_id = e.content_id
from {schema}.trigger_epochs e where e.app_id = c.app_id and e.epoch = c.epoch;
