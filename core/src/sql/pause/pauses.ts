/** Stands for all triggers of an app. */
export const ALL_TRIGGERS = '00000000-0000-0000-0000-000000000000'

/** Says whether a row `p` of pauses sets anything aside. */
const HOLDS = '(p.paused or p.disabled or p.discard_before is not null)'

/** Whether the rows of the trigger, or of its whole app, are set aside. */
export function isPaused(appId: string, triggerId: string): string {
  return `exists (select from {schema}.pauses p where p.app_id = ${appId} and p.trigger_id in (${triggerId}, '${ALL_TRIGGERS}') and ${HOLDS})`
}

/** Whether the trigger is gone and what it had is parked, until somebody releases it. */
export function isLeftParked(appId: string, triggerId: string): string {
  return `exists (select from {schema}.pauses p where p.app_id = ${appId} and p.trigger_id = ${triggerId} and (p.paused or p.disabled)
    and not exists (select from {schema}.triggers t where t.app_id = p.app_id and t.id = p.trigger_id))`
}

/**
 * Whether a lane has to ask which of its rows are to be set aside. Rows of a disabled trigger are set aside once and for all
 * (`sweep-pauses.ts`): after that it costs nobody anything, however long it stays disabled.
 */
export const SOMETHING_PAUSED = `exists (select from {schema}.pauses p where p.paused or (${HOLDS} and not p.swept))`

/** For what changes a row of pauses: every row of the trigger is looked for anew. */
export const SWEEP_AGAIN = `swept = false, changed_by = pg_current_xact_id(), changed_at = clock_timestamp(),
    sweep_from = 0, sweep_is_clean = true, sweep_after = clock_timestamp()`
