-- Emits, asks, writes triggers and pauses, lists, replays and discards dead letters. Only a dispatcher takes a row out of the
-- outbox: an emitter that cancels a delivery writes that it is withdrawn, and a dispatcher carries it out. What a principal may do
-- is not the emitter's to say.
grant usage on schema {schema} to {emitter};
grant select on
  {schema}.migration_checksums, {schema}.triggers, {schema}.trigger_epochs, {schema}.trigger_changes, {schema}.trigger_limits,
  {schema}.pauses, {schema}.principals, {schema}.outbox, {schema}.dispatchers, {schema}.dedupe_keys, {schema}.replies,
  {schema}.abandoned_executions, {schema}.dead_letters, {schema}.attempts, {schema}.withdrawals, {schema}.set_aside
  to {emitter};
grant select on {schema}.app_quotas, {schema}.root_rows to {emitter};

-- Not its id, attempt, lease or errors: those are the dispatcher's to write.
grant insert (priority, due_at, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, chain, ordering_key,
  single, trace_context, dedupe_key, replay_of, reply_to, reply_by, emitted_at, replayed_at, paused,
  caller) on {schema}.outbox to {emitter};
-- A caller that leaves; rows that are withdrawn are set aside by `paused`. Processes of before also let go rows of resumed triggers.
grant update (reply_by, paused) on {schema}.outbox to {emitter};
grant insert, update, delete on {schema}.dedupe_keys to {emitter};
grant insert on {schema}.withdrawals, {schema}.root_rows to {emitter};
-- A key's row is locked, for which Postgres wants the right to update. Never deleted.
grant select, insert, update (taken_at) on {schema}.ordering_locks to {emitter};

grant insert, update, delete on {schema}.triggers to {emitter};
-- By column, and by no table: whoever may write any of its rows by the table may lock all of it, and every app emits by it.
grant insert (app_id, epoch), update (epoch) on {schema}.trigger_epochs to {emitter};
grant insert on {schema}.trigger_changes to {emitter};
grant insert (trigger_id, app_id, concurrency, rate_limit), update (concurrency, rate_limit) on {schema}.trigger_limits to {emitter};
grant insert, update, delete on {schema}.pauses to {emitter};
grant usage on sequence {schema}.trigger_epoch_sequence to {emitter};
-- Under row security what is written under the id of a trigger or a request is asked about.
grant execute on function {schema}.is_no_other_apps_trigger(text, uuid), {schema}.is_no_other_apps_request(text, uuid) to {emitter};
-- Whoever registers a trigger becomes known, without any roles.
grant insert (app_id, id) on {schema}.principals to {emitter};

-- Replies are taken, and those that nobody waited for are abandoned executions.
grant update (taken_at), delete on {schema}.replies to {emitter};
grant insert on {schema}.abandoned_executions to {emitter};
-- Replayed, discarded. Never deleted.
grant update (resolution, resolved_at) on {schema}.dead_letters to {emitter};
-- What it changes it writes into the audit, and cannot change there. The id, the time, the login and the application are the database's.
grant select, insert (app_id, action, operation, resource, principal, caller, bound_by, before, after, host, pid, origin) on {schema}.audit to {emitter};
grant usage on sequence {schema}.audit_sequence to {emitter};
