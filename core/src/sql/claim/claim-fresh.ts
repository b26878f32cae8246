import { CLAIMED, CLAIMED_COLUMNS, IN_BATCHES, still } from './claim-batch.ts'
import type { ClaimedTexts } from './claim-batch.ts'
import { statement } from '../../postgres/statement.ts'

function newestOfLevels(backMs: string, walk: string): string {
  return [2, 1, 0].map((level) => newestOfLevel(level, backMs, walk)).join('\n  union all\n  ')
}

function newestOfLevel(level: number, backMs: string, walk: string): string {
  return `select * from (
      select id, app_id from {schema}.outbox
      where ${IN_BATCHES} and priority = ${level} and due_at <= now() and due_at >= now() - ${backMs}::double precision * interval '1 millisecond'
      order by due_at desc, id desc limit ${walk}
    ) as level_${level}`
}

/**
 * Caller: FairRows, first in a claim transaction. Claims rows of apps that do not crowd, due in the last `backMs`. It
 * looks at the newest `walk` rows of each level, so that the backlog is not walked over.
 */
export const claimFresh = statement<
  [rows: number, crowding: readonly string[], backMs: number, walk: number, bytes: number],
  ClaimedTexts
>(
  'claim_fresh',
  `with newest as materialized (
  ${newestOfLevels('$3', '$4')}
), claimed as materialized (
  select ${CLAIMED} from {schema}.outbox
  where id = any (array(select id from newest where app_id <> all ($2::text[]) limit $1)) and ${still(`${IN_BATCHES} and due_at <= now()`)}
  for update skip locked
)
select ${CLAIMED_COLUMNS.join(', ')} from (
  select *, sum(pg_column_size(event)) over (rows between unbounded preceding and 1 preceding) as bytes_before from claimed
) as sized
where bytes_before is null or bytes_before < $5::bigint`,
  { raw: true },
)
