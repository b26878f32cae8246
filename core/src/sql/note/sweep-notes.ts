import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Dispatcher's sweeps. A note is needed while the outbox has a row of its id and attempt. The row is
 * claimed by a delete that is not committed, or interrupted and not taken yet. A note of the future was written before
 * the database's clock was set back.
 */
export const sweepNotes = statement<[olderThanMs: number], never>(
  'sweep_notes',
  `delete from {schema}.claim_notes n
where not n.noted_at between clock_timestamp() - $1::double precision * interval '1 millisecond'
    and clock_timestamp() + $1::double precision * interval '1 millisecond'
  and not exists (
    select from unnest(n.run_lows, n.run_highs, n.run_attempts) as run (low, high, attempt)
    join {schema}.outbox o on o.id between run.low and run.high and o.attempt = run.attempt
  )`,
)
