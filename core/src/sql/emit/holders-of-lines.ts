import { statement } from '../../postgres/statement.ts'

/**
 * Caller: Emitter, once a wait for a line has been refused. The sessions that have written to `ordering_locks` or
 * `dedupe_keys` in their transaction: nobody can say afterwards which of them it was. What a session does is hidden from other roles: `since` may be null.
 */
export const holdersOfLines = statement<[], { pid: number; user: string | null; since: string | null }>(
  'holders_of_lines',
  `select l.pid, max(a.usename) as user, max(coalesce(a.xact_start, a.backend_start))::text as since
from pg_locks l left join pg_stat_activity a on a.pid = l.pid
where l.granted and l.pid <> pg_backend_pid() and l.database = (select oid from pg_database where datname = current_database())
  and l.locktype = 'relation' and l.relation in ('{schema}.ordering_locks'::regclass, '{schema}.dedupe_keys'::regclass) and l.mode = 'RowExclusiveLock'
group by l.pid order by min(a.xact_start) nulls last limit 3`,
)
