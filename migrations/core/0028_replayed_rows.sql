-- When a person decided that a dead letter runs again, for rows that are replays. `emitted_at` of such a row says when its event was
-- emitted, which may be long before. Null for rows that are none, and for replays of older processes.
--
-- outbus: older processes may run and start
-- An older dispatcher discards replays by when their events were emitted, and may end the discarding of a deleted trigger before
-- transactions that began earlier have committed.
alter table {schema}.outbox add column replayed_at timestamptz;
