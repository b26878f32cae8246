import { statement } from './statement.ts'

/**
 * Caller: Portions. How many dispatchers there are besides this one, and how many of them come before it. One that was heard of
 * in the future, before the clock of the database was set back, counts once it is heard of again.
 */
export const findPlace = statement<[id: string], { others: number; before: number }>(
  'find_place',
  `select count(*)::integer as others, (count(*) filter (where id < $1))::integer as before
from {schema}.dispatchers
where id <> $1 and seen_at between now() - interval '25 seconds' and now() + interval '1 second'`,
)
