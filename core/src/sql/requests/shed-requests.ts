import { ANSWERED, GONE_COLUMNS } from './reply-rows.ts'
import type { AnsweredRow } from './settle-requests.ts'
import { statement } from '../../postgres/statement.ts'
import { LAST_ID } from '../claim/take-requests.ts'

/**
 * Caller: RequestSettler, while the gate has no permit. Requests that nobody started for `waitedMs` are answered with
 * `reply`. Requests that nobody waits for stay. So does one whose holder vanished: taking it answers it.
 */
export const shedRequests = statement<[waitedMs: number, reply: string, limit: number, from: number], AnsweredRow>(
  'shed_requests',
  `with old as materialized (
  select id from {schema}.outbox
  where reply_to is not null and reply_by is not null
    and due_at >= to_timestamp($4::double precision) and (due_at, id) <= (now() - $1::double precision * interval '1 millisecond', ${LAST_ID})
  order by due_at, id limit $3 for update skip locked
), gone as materialized (
  delete from {schema}.outbox o where o.id = any (array(select id from old)) and o.lease_token is null
  returning ${GONE_COLUMNS}, $2::json as reply
), ${ANSWERED}
select delivery_id, event_id as request_id, reply_to, abandoned from gone`,
)
