-- The keys under which the source filed a trigger when its filter was written. A process that cannot read the filter goes by them: it
-- refuses the events that have one of these keys, and no others. Null: nobody knows, and every event of the source is refused there.
--
-- outbus: older processes may run and start
-- An older process leaves null in what it creates, and leaves the keys as they are where it changes a filter.
alter table {schema}.triggers add column keys json;
