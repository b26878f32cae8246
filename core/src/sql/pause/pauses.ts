/** Stands for all triggers of an app. */
export const ALL_TRIGGERS = '00000000-0000-0000-0000-000000000000'

/** Of a row `p` of pauses. */
const HOLDS = '(p.paused or p.disabled or p.discard_before is not null)'

/** Whether the rows of the trigger, or of its whole app, are set aside. */
export function isPaused(appId: string, triggerId: string): string {
  return `exists (select from {schema}.pauses p where p.app_id = ${appId} and p.trigger_id in (${triggerId}, '${ALL_TRIGGERS}') and ${HOLDS})`
}

/** Whether the trigger is gone and its rows stay parked until somebody releases them. */
export function isLeftParked(appId: string, triggerId: string): string {
  return `exists (select from {schema}.pauses p where p.app_id = ${appId} and p.trigger_id = ${triggerId} and (p.paused or p.disabled)
    and not exists (select from {schema}.triggers t where t.app_id = p.app_id and t.id = p.trigger_id))`
}

/**
 * Whether a lane has to ask which rows to set aside. Once a disabled trigger is swept (`sweep-pauses.ts`), it costs
 * lanes nothing.
 */
export const SOMETHING_PAUSED = `exists (select from {schema}.pauses p where p.paused or (${HOLDS} and not p.swept))`

/** For each change of a row of pauses: the sweep looks for the trigger's rows anew. */
export const SWEEP_AGAIN = `swept = false, changed_by = pg_current_xact_id(), changed_at = clock_timestamp(),
    sweep_from = 0, sweep_is_clean = true, sweep_after = clock_timestamp()`
