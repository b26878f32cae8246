-- outbus: older processes may run and start
--
-- The caller: the id of the principal whose call emitted the event, in the app of the row. Null: the service itself. Empty: nobody has
-- said. That is the default, for what was there before, and for what an older process or another program writes: it is not taken for
-- the service's own, and nothing can be done in its caller's name.
alter table {schema}.outbox add column caller text default '';
alter table {schema}.dead_letters add column caller text default '';
alter table {schema}.replies add column caller text default '';
alter table {schema}.abandoned_executions add column caller text default '';
alter table {schema}.attempts add column caller text default '';

-- Whom a trigger runs as. An older process does not know it: what it emits, and what it dispatches, runs as the registrant.
alter table {schema}.triggers add column run_as text not null default 'registrant'
  constraint triggers_run_as_is_known check (run_as in ('registrant', 'caller'));
