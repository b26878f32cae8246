-- Why rows of a trigger are set aside: it is paused, or it is disabled and its rows wait, or they are being discarded. A row here that
-- says none of the three holds nothing.
--
-- outbus: older processes may run and start
-- An older process that resumes a trigger lets go the rows of a disabled one, too.
alter table {schema}.pauses
  add column paused boolean not null default true,
  add column disabled boolean not null default false,
  -- Rows that were emitted until then are discarded.
  add column discard_before timestamptz,
  -- Every row of a disabled trigger has been set aside, so that lanes need not ask for it any more. A trigger may be
  -- disabled for years.
  add column swept boolean not null default false,
  -- What began before this transaction had ended may still commit rows of the trigger.
  add column changed_by xid8 not null default pg_current_xact_id(),
  add column changed_at timestamptz not null default clock_timestamp(),
  -- How far the sweep has come, whether it has left out nothing so far, and when it goes on.
  add column sweep_from bigint not null default 0,
  add column sweep_is_clean boolean not null default true,
  add column sweep_after timestamptz not null default clock_timestamp();
