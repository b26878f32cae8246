import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Portions. How many dispatchers there are besides this one, and how many of them come before it. One that was heard of
 * in the future, before the clock of the database was set back, counts once it is heard of again. `ahead`: there is such a one.
 */
export const findPlace = statement<[id: string], { others: number; before: number; ahead: boolean; clock_s: number }>(
  'find_place',
  `select (count(*) filter (where other))::integer as others, (count(*) filter (where other and id < $1))::integer as before,
  coalesce(bool_or(seen_at > now() + interval '1 second'), false) as ahead, date_part('epoch', now()) as clock_s
from {schema}.dispatchers
cross join lateral (select id <> $1 and seen_at <= now() + interval '1 second' as other) as who
where seen_at > now() - interval '25 seconds'`,
)
