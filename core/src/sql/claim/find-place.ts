import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Portions. Counts the other dispatchers, and those before this one. `ahead`: one was last heard of in the
 * future, before the database's clock was set back. It does not count until it is heard of again.
 */
export const findPlace = statement<[id: string], { others: number; before: number; ahead: boolean; clock_s: number }>(
  'find_place',
  `select (count(*) filter (where other))::integer as others, (count(*) filter (where other and id < $1))::integer as before,
  coalesce(bool_or(seen_at > now() + interval '1 second'), false) as ahead, date_part('epoch', now()) as clock_s
from {schema}.dispatchers
cross join lateral (select id <> $1 and seen_at <= now() + interval '1 second' as other) as who
where seen_at > now() - interval '25 seconds'`,
)
