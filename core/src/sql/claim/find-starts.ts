import { IN_BATCHES } from './claim-batch.ts'
import { statement } from '../../postgres/statement.ts'

/** The conditions of the indexes by `due_at`. Those of batches come first, by level. */
const SHELVED = [
  ...[0, 1, 2].map((level) => `${IN_BATCHES} and priority = ${level}`),
  'alone',
  'reply_to is not null and reply_by is not null',
  'reply_to is not null and reply_by is null',
]

/** Where to begin in each index, in seconds since 1970. */
export type Froms = [low: number, normal: number, high: number, alone: number, awaited: number, submitted: number]

export interface StartsRow {
  /** When each index's first row is due, in seconds since 1970. Null: it has none. */
  readonly firsts: readonly (number | null)[]
  /** The lowest id of a row of an ordered trigger. Null: there is none. */
  readonly ordered_id: string | null
  /** How long the server looked. */
  readonly took_ms: number
}

const first = (condition: string, i: number) => `(select date_part('epoch', due_at) from {schema}.outbox
    where ${condition} and due_at >= to_timestamp($${i + 1}::double precision) order by due_at, id limit 1)`

/**
 * Caller: Starts. The first row of each index from where the last look ended. It locks nothing, so it sees rows whose
 * deletion may never be committed.
 */
export const findStarts = statement<[...Froms, orderedFrom: number], StartsRow>(
  'find_starts',
  `with begun as materialized (select clock_timestamp() as at)
select array[
  ${SHELVED.map(first).join(',\n  ')}
] as firsts,
(select id from {schema}.outbox where ordering_key is not null and id >= $${SHELVED.length + 1}::bigint order by id limit 1) as ordered_id,
(date_part('epoch', clock_timestamp() - begun.at) * 1000::double precision) as took_ms
from begun`,
)
