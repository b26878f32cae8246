-- Claims, settles, keeps house, emits dead letters to their handlers. A service that also emits, whose handlers do, or that
-- declares triggers, is an emitter as well.
grant usage on schema {schema} to {dispatcher};
grant select on
  {schema}.migration_checksums, {schema}.triggers, {schema}.trigger_epochs, {schema}.trigger_changes, {schema}.trigger_limits,
  {schema}.pauses, {schema}.principals, {schema}.outbox, {schema}.claim_notes, {schema}.dispatchers, {schema}.dedupe_keys,
  {schema}.replies, {schema}.abandoned_executions, {schema}.dead_letters, {schema}.cancellations, {schema}.withdrawals, {schema}.attempts
  to {dispatcher};

grant select on {schema}.app_quotas, {schema}.root_rows to {dispatcher};

grant insert, update, delete on {schema}.outbox, {schema}.claim_notes, {schema}.dispatchers, {schema}.dedupe_keys to {dispatcher};
-- Locked before they are removed, for which Postgres wants the right to update.
grant select, update (taken_at), delete on {schema}.ordering_locks to {dispatcher};
grant update (holder, starts), delete on {schema}.trigger_limits to {dispatcher};
grant select, insert, delete on {schema}.trigger_starts to {dispatcher};
-- Which rows of disabled triggers have been set aside.
grant update (swept, discard_before, sweep_from, sweep_is_clean, sweep_after) on {schema}.pauses to {dispatcher};
grant insert, delete on {schema}.cancellations to {dispatcher};
-- Withdrawals are locked before they are deleted, for which Postgres wants the right to update.
grant insert, update (requested_at), delete on {schema}.withdrawals to {dispatcher};

-- Replies and abandoned executions are locked before they are deleted, for which Postgres wants the right to update.
grant insert, update (taken_at, reply_by, emitted_at), delete on {schema}.replies to {dispatcher};
grant insert, update (abandoned_at), delete on {schema}.abandoned_executions to {dispatcher};
grant insert, update (announced, resolution, resolved_at), delete on {schema}.dead_letters to {dispatcher};

grant insert on {schema}.attempts to {dispatcher};
grant usage on sequence {schema}.attempt_sequence to {dispatcher};
-- How far ids have come: whether somebody has some of the newest rows in hands.
grant select on sequence {schema}.outbox_id_seq to {dispatcher};
grant execute on function {schema}.add_attempts_partition(date), {schema}.drop_attempts_partitions(date), {schema}.add_day(text, date),
  {schema}.drop_days(text, date) to {dispatcher};
-- Under row security what is written under the id of a trigger or a request is asked about: of a role that is bound to apps as well.
grant execute on function {schema}.is_no_other_apps_trigger(text, uuid), {schema}.is_no_other_apps_request(text, uuid) to {dispatcher};
-- What dead letters' handlers are emitted is noted for their roots, and forgotten by upkeep.
grant insert, delete on {schema}.root_rows to {dispatcher};
-- Upkeep: what no index needs any more.
grant delete on {schema}.trigger_changes to {dispatcher};
-- Rows that cannot be understood, and when nobody needs to know of them any more. Locked before they are deleted, for which
-- Postgres wants the right to update.
grant select, insert, update (set_aside_at), delete on {schema}.set_aside to {dispatcher};
-- What it changes it writes into the audit, and cannot change there. The id, the time, the login and the application are the database's.
grant select, insert (app_id, action, operation, resource, principal, caller, bound_by, before, after, host, pid, origin) on {schema}.audit to {dispatcher};
grant usage on sequence {schema}.audit_sequence to {dispatcher};
