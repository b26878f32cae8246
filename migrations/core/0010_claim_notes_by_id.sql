-- Notes are found by the ids that they name, and not by reading all of them: while some transaction pins the xmin horizon, no
-- version of a note can be removed, and a lane writes a hundred a second. A note is one row for each span of 65,536 ids that
-- the batch has rows of, mostly one; its lowest id says which span.
drop table {schema}.claim_notes;

create table {schema}.claim_notes (
  lane_id uuid not null,
  lowest_id bigint not null,
  highest_id bigint not null,
  run_lows bigint[] not null,
  run_highs bigint[] not null,
  run_attempts integer[] not null,
  noted_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

create index claim_notes_ids on {schema}.claim_notes (lowest_id);

-- The same for who asks whether a dispatcher is idle: each emit does, and it says so many times a second while little flows.
create index dispatchers_idle on {schema}.dispatchers (seen_at) where idle;
