-- Tables of plugins are written by their verbs, in the emitter, and by their `start`, in the dispatcher: both may write all of
-- them. A table is a plugin's if it is not named here. Partitions are reached through their table and get nothing.
do $$
declare
  thing record;
begin
  for thing in
    select c.relname as name, c.relkind as kind from pg_class c
    where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('r', 'p', 'v', 'S') and not c.relispartition
      and c.relname <> all (array['triggers', 'trigger_epochs', 'trigger_epoch_sequence', 'trigger_changes', 'trigger_limits', 'trigger_starts', 'pauses',
        'principals', 'outbox', 'claim_notes', 'dispatchers', 'dedupe_keys', 'ordering_locks', 'replies', 'abandoned_executions', 'dead_letters',
        'cancellations', 'withdrawals', 'set_aside', 'app_quotas', 'root_rows', 'attempts', 'attempt_sequence', 'audit', 'audit_sequence', 'migration_checksums', 'role_apps'])
      and c.relname not in (select 'migrations_' || line from {schema}.migration_checksums)
      and not exists (select from {schema}.migration_checksums where c.relname = 'migrations_' || line || '_id_seq')
      -- Nobody needs a right for the sequence of an identity column.
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and c.relkind = 'S' and d.deptype = 'i')
  loop
    execute case thing.kind
      when 'S' then format('grant usage on sequence {schema}.%I to {role}', thing.name)
      when 'v' then format('grant select on {schema}.%I to {role}', thing.name)
      else format('grant select, insert, update, delete on {schema}.%I to {role}', thing.name)
    end;
  end loop;
end
$$;
