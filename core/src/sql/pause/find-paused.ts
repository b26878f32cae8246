import { isPaused } from './pauses.ts'
import { statement } from '../../postgres/statement.ts'

/** Caller: Lane, if its note says that something is paused. Finds which claimed rows are. */
export const findPaused = statement<
  [ids: readonly string[], appIds: readonly string[], triggerIds: readonly string[]],
  { id: string }
>(
  'find_paused',
  `select id from unnest($1::text[], $2::text[], $3::uuid[]) as claimed (id, app_id, trigger_id)
where ${isPaused('claimed.app_id', 'claimed.trigger_id')}`,
)
