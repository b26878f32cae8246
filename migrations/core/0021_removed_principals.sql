-- outbus: older processes may run and start
--
-- A principal that was removed stays known as removed, so that no trigger makes it known again. Older processes see it as disabled.
-- They still delete the row of a principal that they remove.
alter table {schema}.principals add column removed_at timestamptz;
