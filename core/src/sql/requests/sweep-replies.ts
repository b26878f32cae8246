import { statement } from '../../postgres/statement.ts'

/** Caller: Dispatcher's sweeps. Deletes delivered replies after `takenMs`, and kept ones after `keptMs`. */
export const sweepReplies = statement<[takenMs: number, keptMs: number, limit: number], never>(
  'sweep_replies',
  `delete from {schema}.replies r
using (
  select request_id from {schema}.replies
  where (taken_at is not null or reply_by is null)
    and replied_at < clock_timestamp() - $1::double precision * interval '1 millisecond'
    and (taken_at is not null or replied_at < clock_timestamp() - $2::double precision * interval '1 millisecond')
  order by replied_at limit $3 for update skip locked
) as over
where r.request_id = over.request_id`,
)
