-- outbus: older processes may run and start
--
-- Whose triggers handle the dead letters of an app. A letter reaches those of its owner, the service's and administrators' alone.
create index triggers_dead_letter_handlers on {schema}.triggers (app_id, registrant)
  where source = 'dead_letter' and registrant is not null;
