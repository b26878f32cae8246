import { statement } from '../../postgres/statement.ts'

/**
 * Caller: lockTimeout. Lists sessions whose transactions wrote to `ordering_locks` or `dedupe_keys`: which of them was
 * in the way is not known. Other roles' activity is hidden, so `since` may be null.
 */
export const holdersOfLines = statement<[], { pid: number; user: string | null; since: string | null }>(
  'holders_of_lines',
  `select l.pid, max(a.usename) as user, max(coalesce(a.xact_start, a.backend_start))::text as since
from pg_locks l left join pg_stat_activity a on a.pid = l.pid
where l.granted and l.pid <> pg_backend_pid() and l.database = (select oid from pg_database where datname = current_database())
  and l.locktype = 'relation' and l.relation in ('{schema}.ordering_locks'::regclass, '{schema}.dedupe_keys'::regclass) and l.mode = 'RowExclusiveLock'
group by l.pid order by min(a.xact_start) nulls last limit 3`,
)
