import { statement } from '../../postgres/statement.ts'

/** Caller: Idleness, when the dispatcher becomes idle or busy, and as its heartbeat. */
export const announceDispatcher = statement<[id: string, idle: boolean], never>(
  'announce_dispatcher',
  `insert into {schema}.dispatchers (id, idle) values ($1, $2)
on conflict (id) do update set idle = excluded.idle, seen_at = clock_timestamp()`,
)
