import { statement } from '../../postgres/statement.ts'

export interface WritersRow {
  /** The database's clock before the writers were listed, in seconds since 1970. */
  readonly clock_s: number
  /** The highest id that a row had by then. */
  readonly last_id: string
  /** Transactions that write to the outbox, by names that no later transaction of this server has. */
  readonly writers: readonly string[]
}

/**
 * Caller: Starts (docs/claim-protocol.md, "Where the start is"). Whoever read a clock before `clock_s`, or drew an id
 * up to `last_id`, is listed or over. Locks are read for the row of `at`, so after its clock.
 */
export const listWriters = statement<[], WritersRow>(
  'list_writers',
  `with at as materialized (select clock_timestamp() as clock, (select last_value from {schema}.outbox_id_seq) as last_id)
select date_part('epoch', at.clock) as clock_s, at.last_id, array(
  select distinct l.virtualtransaction from pg_locks l
  where l.locktype = 'relation' and l.relation = '{schema}.outbox'::regclass::oid and l.mode = 'RowExclusiveLock'
    and l.database = (select oid from pg_database where datname = current_database()) and at.clock is not null
) as writers
from at`,
)
