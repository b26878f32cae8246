import { statement } from '../../postgres/statement.ts'

/** Caller: Dispatcher's sweeps. The limit bounds how many locks it holds. */
export const sweepDedupeKeys = statement<[limit: number], never>(
  'sweep_dedupe_keys',
  `delete from {schema}.dedupe_keys d
using (select app_id, source, key from {schema}.dedupe_keys where expires_at <= clock_timestamp() limit $1 for update skip locked) as over
where d.app_id = over.app_id and d.source = over.source and d.key = over.key`,
)
