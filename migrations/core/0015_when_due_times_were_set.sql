-- outbus: older processes may run and start
--
-- When the due time of a row was set, for rows that were not just emitted: a retry, a lease. A due time whose setting is in the
-- future was set before the clock of the database was set back, and is moved by as much. Older processes leave it null or as it
-- was; what they set is moved by less, or not at all.
alter table {schema}.outbox add column due_set_at timestamptz;
